/*@ numbers_known */
/* Categories that are numbers: they rise; for each, and for what is missing or unknown, a number. */
typedef struct {
    const double *cells;
    const double *values;
    int32_t many;
    int knows_missing, refuses;
    double missing, unknown;
} numbers_known;

static int number_of_number(double *found, double cell, const numbers_known *known)
{
    int32_t low = 0, high = known->many;
    if (cell != cell && known->knows_missing) {
        *found = known->missing;
        return 0;
    }
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (known->cells[middle] < cell)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < known->many && known->cells[low] == cell)
        *found = known->values[low];
    else if (known->refuses)
        return REFUSED_CATEGORY;
    else
        *found = known->unknown;
    return 0;
}

/*@ same_text */
static int order_of(text a, text b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int same_text(text a, text b)
{
    return a.data && order_of(a, b) == 0;
}

/*@ texts_known: same_text */
/* Categories that are texts, likewise; they rise by their bytes. */
typedef struct {
    const text *cells;
    const double *values;
    int32_t many;
    int knows_missing, refuses;
    double missing, unknown;
} texts_known;

static int number_of_text(double *found, text cell, const texts_known *known)
{
    int32_t low = 0, high = known->many;
    if (!cell.data && known->knows_missing) {
        *found = known->missing;
        return 0;
    }
    while (cell.data && low < high) {
        int32_t middle = low + (high - low) / 2;
        if (order_of(known->cells[middle], cell) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < known->many && same_text(cell, known->cells[low]))
        *found = known->values[low];
    else if (known->refuses)
        return REFUSED_CATEGORY;
    else
        *found = known->unknown;
    return 0;
}

/*@ one_at: push */
static void one_at(vec y, double place)
{
    if (place >= 0 && y.v[(int32_t)place] == 0)
        push(y, (int32_t)place, 1);
}
