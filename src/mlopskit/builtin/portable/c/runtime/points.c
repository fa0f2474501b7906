/*@ quotient: vec */
static int quotient(vec y, vec x, vec by)
{
    for (int32_t i = 0; i < y.width; i++) {
        if (by.v[i] == 0)
            return REFUSED_UNDEFINED;
        y.v[i] = x.v[i] / by.v[i];
    }
    return 0;
}

/*@ products: vec */
static void products(vec y, vec x, const int32_t *starts, const int32_t *factors)
{
    for (int32_t i = 0; i < y.width; i++) {
        y.v[i] = 1;
        for (int32_t k = starts[i]; k < starts[i + 1]; k++)
            y.v[i] *= x.v[factors[k]];
    }
}

/*@ bins: vec */
static void bins(vec y, const int32_t *starts, const double *edges)
{
    for (int32_t i = 0; i < y.width; i++) {
        int32_t low = starts[i], high = starts[i + 1];
        while (low < high) {
            int32_t middle = low + (high - low) / 2;
            if (y.v[i] < edges[middle])
                high = middle;
            else
                low = middle + 1;
        }
        y.v[i] = low - starts[i];
    }
}

/*@ interpolate: vec */
static int interpolate(vec y, const int32_t *starts, const double *at, const double *values, int outside)
{
    for (int32_t i = 0; i < y.width; i++) {
        int32_t first = starts[i], last = starts[i + 1] - 1, low = first, high = last + 1;
        double cell = y.v[i];
        if (cell != cell)
            continue;
        if (cell < at[first] || cell > at[last]) {
            if (outside == 2)
                return REFUSED_BEYOND;
            cell = outside == 1 ? NAN : cell < at[first] ? at[first] : at[last];
        }
        if (cell != cell || first == last) {
            y.v[i] = cell != cell ? cell : values[first];
            continue;
        }
        while (low < high) {
            int32_t middle = low + (high - low) / 2;
            if (at[middle] < cell)
                low = middle + 1;
            else
                high = middle;
        }
        low = low <= first ? first + 1 : low > last ? last : low;
        if (at[low] == at[low - 1])
            return REFUSED_UNDEFINED;
        double slope = (values[low] - values[low - 1]) / (at[low] - at[low - 1]);
        y.v[i] = slope * (cell - at[low - 1]) + values[low - 1];
    }
    return 0;
}

/*@ yeo_johnson: vec */
static double bent(double cell, double by)
{
    return fabs(by) < DBL_EPSILON ? log1p(cell) : expm1(by * log1p(cell)) / by;
}

static void yeo_johnson(vec y, const double *lambdas)
{
    for (int32_t i = 0; i < y.width; i++) {
        if (y.v[i] >= 0)
            y.v[i] = bent(y.v[i], lambdas[i]);
        else if (y.v[i] >= -DBL_MAX)
            y.v[i] = -bent(-y.v[i], 2 - lambdas[i]);
    }
}

/*@ dot: vec */
static double dot(vec x, const double *point)
{
    double sum = 0;
    for (int32_t k = 0; k < x.width; k++)
        sum += point[k] * x.v[k];
    return sum;
}

/*@ kernel_rbf: vec */
static void kernel_rbf(vec y, vec x, const double *points, double gamma)
{
    for (int32_t i = 0; i < y.width; i++, points += x.width) {
        double sum = 0;
        for (int32_t k = 0; k < x.width; k++)
            sum += (points[k] - x.v[k]) * (points[k] - x.v[k]);
        y.v[i] = exp(-gamma * sum);
    }
}

/*@ kernel_sigmoid: dot */
static void kernel_sigmoid(vec y, vec x, const double *points, double gamma, double offset)
{
    for (int32_t i = 0; i < y.width; i++, points += x.width)
        y.v[i] = tanh(gamma * dot(x, points) + offset);
}

/*@ kernel_polynomial: dot */
static void kernel_polynomial(vec y, vec x, const double *points, double gamma, double offset, int32_t degree)
{
    for (int32_t i = 0; i < y.width; i++, points += x.width) {
        double base = gamma * dot(x, points) + offset, result = 1;
        for (int32_t power = degree; power; power /= 2, base *= base)
            if (power % 2)
                result *= base;
        y.v[i] = result;
    }
}
