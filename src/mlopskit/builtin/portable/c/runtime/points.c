/*@ quotient: vec */
static void quotient(vec y, vec x, vec by)
{
    for (int32_t i = 0; i < y.width; i++)
        y.v[i] = x.v[i] / by.v[i];
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
        else if (y.v[i] < 0)
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

/*@ square_of_distance: vec */
static double square_of_distance(vec x, const double *point)
{
    double sum = 0;
    for (int32_t k = 0; k < x.width; k++)
        sum += (point[k] - x.v[k]) * (point[k] - x.v[k]);
    return sum;
}

/*@ kernel_rbf: square_of_distance */
static void kernel_rbf(vec y, vec x, const double *points, double gamma)
{
    for (int32_t i = 0; i < y.width; i++, points += x.width)
        y.v[i] = exp(-gamma * square_of_distance(x, points));
}

/*@ kernel_distance: square_of_distance */
static void kernel_distance(vec y, vec x, const double *points)
{
    for (int32_t i = 0; i < y.width; i++, points += x.width)
        y.v[i] = sqrt(square_of_distance(x, points));
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

/*@ spline: vec */
#define MOST_BASES 101

/* The B-splines of each element, by de Boor's recursion; those of NaN are zero. */
static void spline(vec y, vec x, const int32_t *starts, const double *knots, int32_t degree)
{
    double *found = y.v;
    for (int32_t i = 0; i < x.width; i++) {
        const double *t = knots + starts[i];
        int32_t knots_many = starts[i + 1] - starts[i], width = knots_many - degree - 1, low = 0, high = knots_many;
        double bases[MOST_BASES] = {1}, cell = x.v[i];
        memset(found, 0, sizeof(double) * (size_t)width);
        while (low < high) {
            int32_t middle = low + (high - low) / 2;
            if (cell < t[middle])
                high = middle;
            else
                low = middle + 1;
        }
        int32_t at = low - 1 > degree ? low - 1 : degree;
        at = at < width - 1 ? at : width - 1;
        for (int32_t order = 1; order <= degree; order++) {
            double above[MOST_BASES] = {0};
            for (int32_t place = 0; place < order; place++) {
                double left = t[at + place + 1 - order], right = t[at + place + 1], share = bases[place] / (right - left);
                above[place] += share * (right - cell);
                above[place + 1] = share * (cell - left);
            }
            memcpy(bases, above, sizeof bases);
        }
        if (cell == cell)
            memcpy(found + at - degree, bases, sizeof(double) * (size_t)(degree + 1));
        found += width;
    }
}

/*@ chosen: square_of_distance */
/* The points to take a mean of: their numbers, and the squares of their distances. */
typedef struct {
    int32_t *points;
    double *squares;
    int32_t many;
} chosen;

/*@ choose_closest: chosen */
static void choose_closest(chosen *c, vec x, const double *points, int32_t many, int32_t count)
{
    for (int32_t i = 0; i < many; i++) {
        double square = square_of_distance(x, points + (size_t)i * (size_t)x.width);
        int32_t place = c->many;
        if (place == count && !(square < c->squares[count - 1]))
            continue;
        place -= place == count;
        for (; place > 0 && c->squares[place - 1] > square; place--) {
            c->squares[place] = c->squares[place - 1];
            c->points[place] = c->points[place - 1];
        }
        c->squares[place] = square;
        c->points[place] = i;
        c->many += c->many < count;
    }
}

/*@ choose_within: chosen */
static void choose_within(chosen *c, vec x, const double *points, int32_t many, double radius)
{
    for (int32_t i = 0; i < many; i++) {
        double square = square_of_distance(x, points + (size_t)i * (size_t)x.width);
        if (square <= radius * radius) {
            c->squares[c->many] = square;
            c->points[c->many++] = i;
        }
    }
}

/*@ mean_of: chosen */
/* The mean of the values of the chosen points: alike, or by distance; one that is the row itself counts alone. */
static void mean_of(vec y, const chosen *c, const double *values, int by_distance)
{
    double whole = 0;
    int itself = 0;
    for (int32_t k = 0; k < c->many; k++)
        itself |= sqrt(c->squares[k]) == 0;
    for (int32_t j = 0; j < y.width; j++)
        y.v[j] = 0;
    for (int32_t k = 0; k < c->many; k++) {
        double distance = sqrt(c->squares[k]), weight = !by_distance ? 1 : itself ? distance == 0 : 1 / distance;
        whole += weight;
        for (int32_t j = 0; j < y.width; j++)
            y.v[j] += values[(size_t)c->points[k] * (size_t)y.width + (size_t)j] * weight;
    }
    for (int32_t j = 0; j < y.width; j++)
        y.v[j] /= whole;
}

/*@ nearest_count: choose_closest mean_of */
static void nearest_count(vec y, vec x, const double *points, const double *values, int32_t many, int by_distance, int32_t *room, double *squares, int32_t count)
{
    chosen c = {room, squares, 0};
    choose_closest(&c, x, points, many, count);
    mean_of(y, &c, values, by_distance);
}

/*@ nearest_radius: choose_within mean_of */
static int nearest_radius(vec y, vec x, const double *points, const double *values, int32_t many, int by_distance, int32_t *room, double *squares, double radius, const double *empty)
{
    chosen c = {room, squares, 0};
    choose_within(&c, x, points, many, radius);
    if (c.many)
        mean_of(y, &c, values, by_distance);
    else if (empty)
        memcpy(y.v, empty, sizeof(double) * (size_t)y.width);
    else
        return REFUSED_BEYOND;
    return 0;
}
