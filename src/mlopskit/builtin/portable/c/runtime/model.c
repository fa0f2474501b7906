/* Made by mlopskit of a portable model. @NAME@_predict is at the end.

   It needs the C library's own mathematics alone, allocates nothing, and keeps nothing between two rows but in the work
   area that it is given. All arithmetic is in double precision, rounded after each operation: compile it with -std=c99,
   or with -ffp-contract=off, and without -ffast-math. The tables of code points are those of Unicode @UNICODE@. */
#include "@NAME@.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__)
#error "do not compile this file with -ffast-math: missing numbers would be lost"
#endif
#if defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2)
#error "numbers are kept with more than double precision here; on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

enum {
    REFUSED_MISSING = @CAPS@_MISSING,
    REFUSED_INFINITE = @CAPS@_INFINITE,
    REFUSED_CATEGORY = @CAPS@_CATEGORY,
    REFUSED_BEYOND = @CAPS@_BEYOND,
    REFUSED_NO_TEXT = @CAPS@_NO_TEXT,
    REFUSED_NO_UTF8 = @CAPS@_NO_UTF8
};
typedef @NAME@_work work_area;
typedef @NAME@_text text;

@BODY@
int @NAME@_predict(const @NAME@_row *row, @NAME@_answer *answer, @NAME@_work *w)
{
@PREDICT@    return 0;
}

size_t @NAME@_work_size(void)
{
    return sizeof(@NAME@_work);
}

const char *@NAME@_sha256(void)
{
    return "@SHA256@";
}

const char *@NAME@_message(int code)
{
    switch (code) {
    case 0:
        return "answered";
    case REFUSED_MISSING:
        return "the row has a missing number, which this model does not take";
    case REFUSED_INFINITE:
        return "the row has a number that is infinite, or too large for this model";
    case REFUSED_CATEGORY:
        return "the row has a category that this model does not know";
    case REFUSED_BEYOND:
        return "the row is beyond those that this model knows";
    case REFUSED_NO_TEXT:
        return "the row has a missing text, which this model does not take";
    case REFUSED_NO_UTF8:
        return "the row has a text that is not UTF-8";
    default:
        return "no code of this model";
    }
}
