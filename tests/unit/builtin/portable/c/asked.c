/* Reads questions from stdin: the number of a model, the size of a text (-1: none), and its bytes, which are put into memory
   of exactly their size. Prints an answer a line: the code, and the number if it is 0. `asks.h` is written by the test. */
#include <stdio.h>
#include <stdlib.h>

#include "asks.h"

int main(void)
{
    int32_t head[2];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        size_t size = head[1] < 0 ? 0 : (size_t)head[1];
        char *data = malloc(size ? size : 1);
        double number = 0;
        if (!data || fread(data, 1, size, stdin) != size)
            return 3;
        char *exact = size ? data : data + 1; /* of an empty text no byte may be read */
        int code = ask(head[0], head[1] < 0 ? NULL : exact, size, &number);
        printf("%d %.17g\n", code, code ? 0 : number);
        free(data);
    }
    return 0;
}
