/* A portable model, made by mlopskit: see @NAME@.c. */
#ifndef @CAPS@_H
#define @CAPS@_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifndef @CAPS@_API
#define @CAPS@_API
#endif

/* A text in UTF-8: `size` bytes, which need no zero behind them. `data` NULL: it is missing. */
typedef struct {
    const char *data;
    size_t size;
} @NAME@_text;

/* A row. A missing number is NAN; true is 1, false 0. */
typedef struct {
@ROW@
} @NAME@_row;

/* The answer to a row. What has labels is the number of one, from 0. */
typedef struct {
@ANSWER@
} @NAME@_answer;

/* Room for one row at a time, zero at first (static, or from calloc); each thread needs its own. It is nobody else's. */
typedef struct {
@WORK@
} @NAME@_work;

/* Why a row has no answer. */
enum {
    @CAPS@_MISSING = 1, /* a number is missing that must be there */
    @CAPS@_INFINITE,    /* a number is infinite, or too large */
    @CAPS@_CATEGORY,    /* a category was never seen */
    @CAPS@_BEYOND,      /* it is beyond what was seen */
    @CAPS@_NO_TEXT,     /* a text is missing that must be there */
    @CAPS@_NO_UTF8      /* a text is not UTF-8 */
};

/* Answer a row. Returns 0; or a code of above, and then `answer` is as it was. */
@CAPS@_API int @NAME@_predict(const @NAME@_row *row, @NAME@_answer *answer, @NAME@_work *work);

/* The code in words. */
@CAPS@_API const char *@NAME@_message(int code);

/* The size of the work area, for those who cannot ask sizeof. */
@CAPS@_API size_t @NAME@_work_size(void);

/* The sha256 of the model.json that this was made of. */
@CAPS@_API const char *@NAME@_sha256(void);
@LABELS@
#ifdef __cplusplus
}
#endif
#endif
