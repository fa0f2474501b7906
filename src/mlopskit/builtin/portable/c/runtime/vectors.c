/* Parts of generated scorers, each below a line that names it and what it needs; `c/source.py` puts those of a model into its file. */

/*@ vec */
/* The elements of a step; where it is sparse, also the places of those that may be other than zero. */
typedef struct {
    double *v;
    int32_t *at; /* NULL: all may be */
    int32_t *many;
    int32_t width;
} vec;

/*@ places: vec */
static int32_t many_of(vec x)
{
    return x.at ? *x.many : x.width;
}

static int32_t place_of(vec x, int32_t k)
{
    return x.at ? x.at[k] : k;
}

/*@ clear: vec */
static void clear(vec y)
{
    for (int32_t k = 0; k < *y.many; k++)
        y.v[y.at[k]] = 0;
    *y.many = 0;
}

/*@ push: vec */
static void push(vec y, int32_t place, double cell)
{
    y.v[place] = cell;
    y.at[(*y.many)++] = place;
}

/*@ copy: vec */
static void copy(vec y, vec x)
{
    memcpy(y.v, x.v, sizeof(double) * (size_t)x.width);
}

/*@ copy_few: clear push */
static void copy_few(vec y, vec x)
{
    clear(y);
    for (int32_t k = 0; k < *x.many; k++)
        push(y, x.at[k], x.v[x.at[k]]);
}

/*@ take: vec */
static void take(vec y, vec x, const int32_t *indexes)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = x.v[indexes[i]];
}

/*@ take_few: clear push */
static void take_few(vec y, vec x, const int32_t *indexes)
{
    clear(y);
    for (int32_t i = 0; i < y.width; i++)
        if (x.v[indexes[i]] != 0)
            push(y, i, x.v[indexes[i]]);
}

/*@ join: vec */
static void join(vec y, int32_t start, vec x)
{
    memcpy(y.v + start, x.v, sizeof(double) * (size_t)x.width);
}

/*@ join_few: places push */
static void join_few(vec y, int32_t start, vec x)
{
    for (int32_t k = 0; k < many_of(x); k++)
        push(y, start + place_of(x, k), x.v[place_of(x, k)]);
}

/*@ add_to: vec */
static void add_to(vec y, vec x)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] += x.v[i];
}

/*@ add: vec */
static void add(vec y, const double *values)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] += values[i];
}

/*@ subtract: vec */
static void subtract(vec y, const double *values)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] -= values[i];
}

/*@ multiply: places */
static void multiply(vec y, const double *values)
{
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] *= values[place_of(y, k)];
}

/*@ divide: places */
static void divide(vec y, const double *values)
{
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] /= values[place_of(y, k)];
}

/*@ clip: vec */
static void clip(vec y, const double *low, const double *high)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = y.v[i] < low[i] ? low[i] : y.v[i] > high[i] ? high[i] : y.v[i];
}

/*@ constant: vec */
static void constant(vec y, const double *values)
{
    memcpy(y.v, values, sizeof(double) * (size_t)y.width);
}

/*@ finite_only: places */
static int finite_only(vec y, int missing)
{
    for (int32_t k = 0; k < many_of(y); k++) {
        double cell = y.v[place_of(y, k)];
        if (cell != cell && !missing)
            return REFUSED_MISSING;
        if (cell > DBL_MAX || cell < -DBL_MAX)
            return REFUSED_INFINITE;
    }
    return 0;
}

/*@ float32: places */
static void float32(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++) {
        volatile float narrow = (float)y.v[place_of(y, k)];
        y.v[place_of(y, k)] = narrow;
    }
}

/*@ linear: places */
static void linear(vec y, vec x, const double *weights, const double *bias)
{
    for (int32_t i = 0; i < y.width; i++, weights += x.width) {
        double sum = 0;
        for (int32_t k = 0; k < many_of(x); k++)
            sum += weights[place_of(x, k)] * x.v[place_of(x, k)];
        y.v[i] = sum + bias[i];
    }
}

/*@ scale_by: places */
static void scale_by(vec y, double size, double least)
{
    if (size < least || size == 0)
        return;
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] /= size;
}

/*@ normalize_l1: scale_by */
static void normalize_l1(vec y, double least)
{
    double size = 0;
    for (int32_t k = 0; k < many_of(y); k++)
        size += fabs(y.v[place_of(y, k)]);
    scale_by(y, size, least);
}

/*@ normalize_l2: scale_by */
static void normalize_l2(vec y, double least)
{
    double size = 0;
    for (int32_t k = 0; k < many_of(y); k++)
        size += y.v[place_of(y, k)] * y.v[place_of(y, k)];
    scale_by(y, sqrt(size), least);
}

/*@ normalize_max: scale_by */
static void normalize_max(vec y, double least)
{
    double size = 0;
    for (int32_t k = 0; k < many_of(y) && size == size; k++)
        if (!(fabs(y.v[place_of(y, k)]) <= size)) /* larger, or NaN */
            size = fabs(y.v[place_of(y, k)]);
    scale_by(y, size, least);
}

/*@ sublinear: places */
static void sublinear(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++)
        if (y.v[place_of(y, k)] != 0)
            y.v[place_of(y, k)] = log(y.v[place_of(y, k)]) + 1;
}

/*@ binarize: places */
static void binarize(vec y, double threshold)
{
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] = y.v[place_of(y, k)] > threshold;
}

/*@ fill_missing: vec */
static void fill_missing(vec y, const double *values)
{
    for (int32_t i = 0; i < y.width; i++)
        if (y.v[i] != y.v[i])
            y.v[i] = values[i];
}

/*@ fill_equal: vec */
static void fill_equal(vec y, const double *values, double missing)
{
    for (int32_t i = 0; i < y.width; i++)
        if (y.v[i] == missing)
            y.v[i] = values[i];
}

/*@ is_missing: vec */
static void is_missing(vec y, vec x, const int32_t *indexes)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = x.v[indexes[i]] != x.v[indexes[i]];
}

/*@ is_equal: vec */
static void is_equal(vec y, vec x, const int32_t *indexes, double missing)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = x.v[indexes[i]] == missing;
}
