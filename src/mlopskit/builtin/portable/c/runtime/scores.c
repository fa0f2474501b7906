/*@ largest: vec */
static double largest(vec x)
{
    double most = x.v[0];
    for (int32_t i = 1; i < x.width; i++)
        if (x.v[i] > most)
            most = x.v[i];
    return most;
}

/*@ total: vec */
static double total(vec x)
{
    double sum = 0;
    for (int32_t i = 0; i < x.width; i++)
        sum += x.v[i];
    return sum;
}

/*@ each: vec */
static void each(vec y, double (*function)(double))
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = function(y.v[i]);
}

/*@ each_place: places */
/* Where zero stays zero. */
static void each_place(vec y, double (*function)(double))
{
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] = function(y.v[place_of(y, k)]);
}

/*@ apply_sigmoid: places */
static void apply_sigmoid(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++) {
        double *cell = y.v + place_of(y, k);
        *cell = *cell > -709 ? 1 / (1 + exp(-*cell)) : exp(*cell);
    }
}

/*@ apply_exp: each */
static void apply_exp(vec y)
{
    each(y, exp);
}

/*@ apply_expm1: each_place */
static void apply_expm1(vec y)
{
    each_place(y, expm1);
}

/*@ apply_log: each */
static void apply_log(vec y)
{
    each(y, log);
}

/*@ apply_log1p: each_place */
static void apply_log1p(vec y)
{
    each_place(y, log1p);
}

/*@ apply_sqrt: each_place */
static void apply_sqrt(vec y)
{
    each_place(y, sqrt);
}

/*@ apply_abs: each_place */
static void apply_abs(vec y)
{
    each_place(y, fabs);
}

/*@ apply_square: places */
static void apply_square(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++)
        y.v[place_of(y, k)] *= y.v[place_of(y, k)];
}

/*@ apply_cos: each */
static void apply_cos(vec y)
{
    each(y, cos);
}

/*@ apply_sin: each_place */
static void apply_sin(vec y)
{
    each_place(y, sin);
}

/*@ apply_tanh: each_place */
static void apply_tanh(vec y)
{
    each_place(y, tanh);
}

/*@ apply_trunc: each_place */
static void apply_trunc(vec y)
{
    each_place(y, trunc);
}

/*@ apply_relu: places */
static void apply_relu(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++)
        if (y.v[place_of(y, k)] <= 0)
            y.v[place_of(y, k)] = 0;
}

/*@ apply_sign: places */
static void apply_sign(vec y)
{
    for (int32_t k = 0; k < many_of(y); k++) {
        double *cell = y.v + place_of(y, k);
        if (*cell == *cell)
            *cell = (*cell > 0) - (*cell < 0);
    }
}

/*@ softmax: largest total */
static void softmax(vec y)
{
    double most = largest(y);
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = exp(y.v[i] - most);
    double whole = total(y);
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] /= whole;
}

/*@ posterior: largest */
static void posterior(vec y)
{
    double most = largest(y), equal = 0, others = 0;
    for (int32_t i = 0; i < y.width; i++) {
        if (y.v[i] == most)
            equal += 1;
        else
            others += exp(y.v[i] - most);
    }
    double whole = log1p(others / equal) + log(equal) + most;
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = exp(y.v[i] - whole);
}

/*@ shares: total */
static void shares(vec y, double otherwise)
{
    double whole = total(y);
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = whole != 0 ? y.v[i] / whole : otherwise;
}

/*@ complement: vec */
static void complement(vec y, vec x)
{
    y.v[0] = 1 - x.v[0];
    y.v[1] = x.v[0];
}

/*@ argmax: vec */
static void argmax(vec y, vec x, const int32_t *starts)
{
    for (int32_t i = 0; i < y.width; i++) {
        int32_t most = starts[i];
        for (int32_t k = starts[i] + 1; k < starts[i + 1] && x.v[most] == x.v[most]; k++)
            if (!(x.v[k] <= x.v[most])) /* larger, or NaN, which counts as the largest */
                most = k;
        y.v[i] = most - starts[i];
    }
}

/*@ above: vec */
static void above(vec y, double threshold)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = y.v[i] > threshold;
}

/*@ reaches: vec */
static void reaches(vec y, double threshold)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = y.v[i] >= threshold;
}

/*@ reduce_sum: vec */
static void reduce_sum(vec y, vec x)
{
    memcpy(y.v, x.v, sizeof(double) * (size_t)y.width);
    for (int32_t i = y.width; i < x.width; i++)
        y.v[i % y.width] += x.v[i];
}

/*@ reduce_product: vec */
static void reduce_product(vec y, vec x)
{
    memcpy(y.v, x.v, sizeof(double) * (size_t)y.width);
    for (int32_t i = y.width; i < x.width; i++)
        y.v[i % y.width] *= x.v[i];
}

/*@ votes: vec */
static void votes(vec y, vec x, const double *weights)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = 0;
    for (int32_t i = 0; i < x.width; i++)
        y.v[(int32_t)x.v[i]] += weights[i];
}

/*@ median: vec */
/* Whether a cell stands behind another, by itself or by its weight; NaN is the last. */
static int behind(double cell, double share, double other, double other_share)
{
    if (cell == other || (cell != cell && other != other))
        return share > other_share;
    return cell > other || cell != cell;
}

static void median(vec y, vec x, const double *weights, double *cells, double *shares_of)
{
    int32_t n = x.width, gap = 1;
    double all = 0, reached = 0;
    memcpy(cells, x.v, sizeof(double) * (size_t)n);
    memcpy(shares_of, weights, sizeof(double) * (size_t)n);
    while (gap < n / 3)
        gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (int32_t i = gap; i < n; i++) {
            double cell = cells[i], share = shares_of[i];
            int32_t j = i;
            for (; j >= gap && behind(cells[j - gap], shares_of[j - gap], cell, share); j -= gap) {
                cells[j] = cells[j - gap];
                shares_of[j] = shares_of[j - gap];
            }
            cells[j] = cell;
            shares_of[j] = share;
        }
    for (int32_t i = 0; i < n; i++)
        all += shares_of[i];
    int32_t place = 0;
    for (reached = shares_of[0]; place < n - 1 && !(reached >= 0.5 * all); reached += shares_of[place])
        place++;
    y.v[0] = cells[place];
}
