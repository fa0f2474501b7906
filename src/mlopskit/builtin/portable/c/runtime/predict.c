/* Answers rows with @NAME@.c: each line of standard input is a request, {"rows": [{"column": value, ...}, ...]}, each line
   of standard output its answer: {"rows": [...], "digest": ..., "runtime": ...}, or {"error": ..., "remedy": ...,
   "kind": ...} if anything of it does not fit. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200112L
#include <sys/utsname.h>
#endif
#include "@NAME@.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef @NAME@_text text;

/* The kinds of a cell, and of what a column takes. */
enum { TEXT = 1, WHOLE = 2, NUMBER = 4, TRUTH = 8, NOTHING = 16 };

typedef struct {
    int kind; /* TEXT, NUMBER, TRUTH or NOTHING; 0 is a list or a table, which no column takes */
    double number;
    text chars;
} cell;

/* A column: what it takes, and where it stands in a row; `longest` counts code points. */
typedef struct {
    text name;
    int kinds, is_text;
    double least, most, longest;
    const cell *known;
    size_t many, at;
} column;

@TABLES@
enum { COLUMNS = @COLUMNS@, LONGEST_LINE = 1 << 28 };

/* What is written for a request, and why it has no answer. */
typedef struct {
    char *data;
    size_t size, room;
    const char *kind, *remedy;
} output;

static void *resized(void *old, size_t room)
{
    void *found = realloc(old, room);
    if (!found) {
        fputs("there is no memory left\n", stderr);
        exit(3);
    }
    return found;
}

static void put(output *o, const char *data, size_t size)
{
    if (size > o->room - o->size) {
        o->room = (o->size + size) * 2;
        o->data = resized(o->data, o->room);
    }
    memcpy(o->data + o->size, data, size);
    o->size += size;
}

static void say(output *o, const char *words)
{
    put(o, words, strlen(words));
}

/* Write a text between quotes, as JSON has it; of what came from outside at most so many bytes. */
static void quote(output *o, const char *data, size_t size, size_t most)
{
    char sign[8];
    say(o, "\"");
    for (size_t i = 0; i < size && i < most; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            put(o, sign, (size_t)sprintf(sign, "\\u%04x", byte < 0x80 ? byte : '?'));
        else
            put(o, data + i, 1);
    }
    say(o, "\"");
}

/* Write the shortest of the spellings that read back as the same number. */
static void put_number(output *o, double number)
{
    char digits[40];
    if (number - number != 0) {
        say(o, "null");
        return;
    }
    for (int many = 15; many <= 17; many++) {
        sprintf(digits, "%.*g", many, number);
        if (strtod(digits, NULL) == number)
            break;
    }
    say(o, digits);
    if (!strpbrk(digits, ".e"))
        say(o, ".0");
}

/* Say why there is no answer: the error's words, which stand in a text of JSON, are written to `o` by whoever calls. */
static int refuse(output *o, const char *kind, const char *remedy)
{
    o->size = 0;
    o->kind = kind;
    o->remedy = remedy;
    return -1;
}

static int malformed(output *o, const char *why)
{
    refuse(o, "ManifestError", "Send one object of JSON on each line.");
    say(o, "The request is malformed: ");
    say(o, why);
    return -1;
}

static int misfit(output *o, long row, const column *of, const char *why)
{
    char number[32];
    output name = {NULL, 0, 0, NULL, NULL};
    refuse(o, "RowError", "Give a row as the schema of the model says.");
    sprintf(number, "Row %ld", row);
    say(o, number);
    if (of) {
        say(o, ", column ");
        quote(&name, of->name.data, of->name.size, 200);
        name.data[0] = name.data[name.size - 1] = '\'';
        put(o, name.data, name.size);
        free(name.data);
    }
    say(o, why);
    return -1;
}

static void blanks(char **at)
{
    while (**at == ' ' || **at == '\t' || **at == '\r' || **at == '\n')
        ++*at;
}

static int is_next(char **at, char sign)
{
    blanks(at);
    if (**at != sign)
        return 0;
    ++*at;
    return 1;
}

static int word(char **at, const char *known)
{
    size_t size = strlen(known);
    if (strncmp(*at, known, size) != 0)
        return 0;
    *at += size;
    return 1;
}

/* Read four hexadecimal digits; -1 if there are none. */
static long hexadecimal(const char *at)
{
    long value = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF", *found = at[i] ? strchr(digits, at[i]) : NULL;
        if (!found)
            return -1;
        value = value * 16 + (found - digits) % 16;
    }
    return value;
}

static char *encoded(char *to, long code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Read what stands behind a backslash. Half a pair of surrogates is no character. */
static char *unescaped(char **at, char *to)
{
    const char *signs = "\"\\/bfnrt", *found;
    long code, low;
    char sign = *(*at)++;
    if (sign == 'u') {
        if ((code = hexadecimal(*at)) < 0)
            return NULL;
        *at += 4;
        if (code >= 0xd800 && code < 0xdc00) {
            if ((*at)[0] != '\\' || (*at)[1] != 'u' || (low = hexadecimal(*at + 2)) < 0xdc00 || low > 0xdfff)
                return NULL;
            *at += 6;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else if (code >= 0xdc00 && code <= 0xdfff) {
            return NULL;
        }
        return encoded(to, code);
    }
    if (!sign || !(found = strchr(signs, sign)))
        return NULL;
    *to = "\"\\/\b\f\n\r\t"[found - signs];
    return to + 1;
}

/* The bytes of the character of UTF-8 that begins here; 0 if it is none. A line ends with a zero, which is none. */
static int character(const unsigned char *at)
{
    int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2 : 3;
    if (*at >= 0x80 && (*at < 0xc2 || *at > 0xf4))
        return 0;
    for (int i = 1; i <= more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
        (*at == 0xf4 && at[1] > 0x8f))
        return 0;
    return more + 1;
}

/* Read a text, and write it where it stands: no text is longer than its spelling. */
static int read_text(char **at, text *into)
{
    char *from = *at, *to = *at;
    while (*from != '"') {
        int size = character((unsigned char *)from);
        if (size == 0 || (unsigned char)*from < 0x20)
            return 0;
        if (*from == '\\') {
            from++;
            if (!(to = unescaped(&from, to)))
                return 0;
            continue;
        }
        memmove(to, from, (size_t)size);
        from += size;
        to += size;
    }
    into->data = *at;
    into->size = (size_t)(to - *at);
    *at = from + 1;
    return 1;
}

static int digits(char **at)
{
    char *first = *at;
    while (**at >= '0' && **at <= '9')
        ++*at;
    return *at > first;
}

/* Read a number as JSON spells it; a larger one than there are is none. */
static int read_number(char **at, double *into)
{
    char *first = *at;
    if (**at == '-')
        ++*at;
    if (**at == '0')
        ++*at;
    else if (!digits(at))
        return 0;
    if (**at == '.') {
        ++*at;
        if (!digits(at))
            return 0;
    }
    if (**at == 'e' || **at == 'E') {
        ++*at;
        if (**at == '+' || **at == '-')
            ++*at;
        if (!digits(at))
            return 0;
    }
    *into = strtod(first, NULL);
    return *into - *into == 0;
}

static int read_cell(char **at, cell *into)
{
    blanks(at);
    into->number = 0;
    into->chars.data = NULL;
    into->chars.size = 0;
    into->kind = NOTHING;
    if (word(at, "null"))
        return 1;
    into->kind = TRUTH;
    into->number = **at == 't';
    if (word(at, "true") || word(at, "false"))
        return 1;
    into->kind = TEXT;
    if (**at == '"') {
        ++*at;
        return read_text(at, &into->chars);
    }
    into->kind = 0;
    if (**at == '[' || **at == '{')
        return 1;
    into->kind = NUMBER;
    return read_number(at, &into->number);
}

static int same_text(text one, text other)
{
    return one.size == other.size && memcmp(one.data, other.data, one.size) == 0;
}

static int is_known(const column *of, const cell *given)
{
    for (size_t i = 0; i < of->many; i++) {
        const cell *one = &of->known[i];
        if (one->kind != given->kind)
            continue;
        if (one->kind == NOTHING || (one->kind == TEXT ? same_text(one->chars, given->chars) : one->number == given->number))
            return 1;
    }
    return of->many == 0;
}

/* Why a cell does not fit a column; NULL if it does. */
static const char *why_not(const column *of, const cell *given)
{
    double longest = 0, number = given->number;
    int kind = given->kind;
    if (kind == NUMBER && !(of->kinds & NUMBER))
        kind = number == floor(number) && number >= -0x1p63 && number < 0x1p63 ? WHOLE : 0;
    if (!(of->kinds & kind) || (kind == TEXT) != (of->is_text && kind != NOTHING))
        return ": it is of a kind that it does not take";
    if (!is_known(of, given))
        return ": it is not one of the known values";
    for (size_t i = 0; i < given->chars.size; i++)
        longest += (given->chars.data[i] & 0xc0) != 0x80;
    if (given->kind == TEXT && longest > of->longest)
        return ": it is too long";
    if (given->kind == NUMBER && number < of->least)
        return ": it is too small";
    if (given->kind == NUMBER && number > of->most)
        return ": it is too large";
    return NULL;
}

static const column *column_of(text name, int hint)
{
    for (int i = 0; i < COLUMNS; i++)
        if (same_text(columns[(hint + i) % COLUMNS].name, name))
            return &columns[(hint + i) % COLUMNS];
    return NULL;
}

static void set(@NAME@_row *row, const column *of, const cell *given)
{
    double number = given->kind == NOTHING ? NAN : given->number;
    if (of->is_text)
        memcpy((char *)row + of->at, &given->chars, sizeof given->chars);
    else
        memcpy((char *)row + of->at, &number, sizeof number);
}

/* Read a row, each of its columns once. */
static int read_row(char **at, output *o, long number, @NAME@_row *row)
{
    static unsigned char seen[COLUMNS];
    int count = 0;
    cell given;
    text name;
    memset(seen, 0, sizeof seen);
    if (!is_next(at, '{'))
        return misfit(o, number, NULL, " is no table of column and value");
    while (!is_next(at, '}')) {
        const column *of;
        const char *why;
        if ((count && !is_next(at, ',')) || !is_next(at, '"') || !read_text(at, &name) || !is_next(at, ':'))
            return malformed(o, "a row is no object of JSON");
        if (!(of = column_of(name, count)))
            return misfit(o, number, NULL, " has an unknown column");
        if (seen[of - columns]++)
            return malformed(o, "a column stands twice");
        if (!read_cell(at, &given))
            return malformed(o, "a value is none of JSON");
        if ((why = why_not(of, &given)) != NULL)
            return misfit(o, number, of, why);
        set(row, of, &given);
        count++;
    }
    for (int i = 0; i < COLUMNS; i++)
        if (!seen[i])
            return misfit(o, number, &columns[i], " is lacking");
    return 0;
}

static void put_about(output *o)
{
    const char *machine = "";
#if defined(__unix__) || defined(__APPLE__)
    struct utsname about;
    if (uname(&about) >= 0)
        machine = about.machine;
#endif
    say(o, "], \"digest\": \"@DIGEST@\", \"runtime\": {\"engine\": \"portable @VERSION@ in C\", \"machine\": ");
    quote(o, machine, strlen(machine), 200);
    say(o, "}}\n");
}

static int answer_row(output *o, long number, const @NAME@_row *row)
{
    static @NAME@_work work;
    @NAME@_answer got;
    int code = @NAME@_predict(row, &got, &work);
    if (code != 0) {
        misfit(o, number, NULL, @NAME@_message(code) + strlen("the row"));
        o->kind = "PackageError";
        o->remedy = "Check the row against the model's training data.";
        return -1;
    }
    say(o, number ? ", {" : "{");
@ANSWERS@    say(o, "}");
    return 0;
}

static int answer(char *line, output *o)
{
    char *at = line;
    text name;
    long number = 0;
    @NAME@_row row;
    say(o, "{\"rows\": [");
    if (!is_next(&at, '{') || !is_next(&at, '"') || !read_text(&at, &name) || !is_next(&at, ':'))
        return malformed(o, "it is no object of JSON");
    if (name.size != 4 || memcmp(name.data, "rows", 4) != 0 || !is_next(&at, '[')) {
        refuse(o, "UsageError", "Send {\\\"rows\\\": [{\\\"column\\\": value, ...}, ...]}.");
        say(o, "The request is not of the known form");
        return -1;
    }
    while (!is_next(&at, ']')) {
        if (number && !is_next(&at, ','))
            return malformed(o, "there is no comma between two rows");
        if (read_row(&at, o, number, &row) != 0 || answer_row(o, number, &row) != 0)
            return -1;
        number++;
    }
    if (!is_next(&at, '}'))
        return malformed(o, "it does not end with its rows");
    blanks(&at);
    if (*at)
        return malformed(o, "something stands behind it");
    if (number == 0) {
        refuse(o, "RowError", "Give at least one row.");
        say(o, "There are no rows");
        return -1;
    }
    put_about(o);
    return 0;
}

/* Write the whole answer to a line, which ends with a zero: also that there is none. */
static void complete(char *line, size_t size, output *o)
{
    output words = {NULL, 0, 0, NULL, NULL};
    int code;
    o->size = 0;
    if (size >= LONGEST_LINE)
        code = malformed(o, "it is too long");
    else
        code = memchr(line, 0, size) ? malformed(o, "it holds a zero byte") : answer(line, o);
    if (code == 0)
        return;
    put(&words, o->data, o->size);
    o->size = 0;
    say(o, "{\"error\": \"");
    put(o, words.data, words.size);
    say(o, ".\", \"remedy\": \"");
    say(o, o->remedy);
    say(o, "\", \"kind\": \"");
    say(o, o->kind);
    say(o, "\"}\n");
    free(words.data);
}

int main(int count, char **arguments)
{
    char *line = resized(NULL, 1 << 12);
    size_t size = 0, room = 1 << 12;
    output o = {NULL, 0, 0, NULL, NULL};
    int sign;
    if (count > 1) {
        fprintf(stderr, "%s takes no arguments, but requests on its standard input, one on each line.\n", arguments[0]);
        return 2;
    }
    while ((sign = getchar()) != EOF || size > 0) {
        if (sign != EOF && sign != '\n') {
            if (size + 2 > room && size < LONGEST_LINE)
                line = resized(line, room *= 2);
            if (size < LONGEST_LINE)
                line[size++] = (char)sign;
            continue;
        }
        line[size] = 0;
        complete(line, size, &o);
        fwrite(o.data, 1, o.size, stdout);
        fflush(stdout);
        size = 0;
    }
    free(line);
    free(o.data);
    return 0;
}
