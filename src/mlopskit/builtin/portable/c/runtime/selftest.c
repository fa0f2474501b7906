/* Asks @NAME@.c for the golden rows that its package holds: prints what it answers otherwise, and then ends with 1. */
#include "@NAME@.h"

#include <math.h>
#include <stdio.h>

static double largest = 0;
static int ties = 0;

@TABLES@
/* Numbers agree if |a - b| <= tolerance * max(scale, |b|); missing agrees with missing. */
static int number(int row, const char *output, double want, double got, double scale)
{
    double difference = want == got ? 0 : fabs(got - want);
    if ((want != want && got != got) || difference <= @TOLERANCE@ * fmax(scale, fabs(want))) {
        largest = difference > largest ? difference : largest;
        return 0;
    }
    printf("row %d: %s is %.17g, expected %.17g\n", row, output, got, want);
    return 1;
}

/* Labels are equal, but where the two largest probabilities are. */
static int label(int row, const char *output, int32_t want, int32_t got, int tie)
{
    if (want == got)
        return 0;
    ties += tie;
    if (!tie)
        printf("row %d: %s is label %ld, expected label %ld\n", row, output, (long)got, (long)want);
    return !tie;
}

int main(void)
{
    static @NAME@_work work;
    int wrong = 0, (*of_number)(int, const char *, double, double, double) = number,
        (*of_label)(int, const char *, int32_t, int32_t, int) = label;
    for (int i = 0; i < @ROWS@; i++) {
        @NAME@_answer got;
        const @NAME@_answer *want = &expected[i];
        int code = @NAME@_predict(&rows[i], &got, &work);
        if ((code != 0) != refused[i]) {
            printf("row %d: %s\n", i, code ? @NAME@_message(code) : "is answered, expected to be refused");
            wrong++;
        }
        if (code != 0 || refused[i])
            continue;
@COMPARE@    }
    (void)of_number;
    (void)of_label;
    printf("@ROWS@ golden rows, %d mismatches, %d ties, largest difference %g\n", wrong, ties, largest);
    return wrong != 0;
}
