/*@ trees: vec */
/* An inner node: the element to look at, its threshold, the number of the right child; the left one is the next node.
   A leaf has feature -1, and its number as threshold, or the place of its numbers as right. */
typedef struct {
    double threshold;
    int32_t feature, right;
} node;

typedef struct {
    const node *nodes;
    const double *values;       /* of leaves of several numbers */
    const unsigned char *aside; /* of each node: 1: what is missing goes to the left, 2: its categories stand in `sets` */
    const int32_t *set_nodes;   /* rising: the nodes with categories, */
    const int32_t *set_starts;  /* where the categories of each begin, */
    const double *sets;         /* and those that go to the left, rising */
    int32_t set_many;
} forest;

static int32_t among(const int32_t *sorted, int32_t many, int32_t wanted)
{
    int32_t low = 0, high = many - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (sorted[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int in_set(const forest *f, int32_t number, double cell)
{
    int32_t set = among(f->set_nodes, f->set_many, number);
    for (int32_t k = f->set_starts[set]; k < f->set_starts[set + 1]; k++)
        if (f->sets[k] == cell)
            return 1;
    return 0;
}

static const node *leaf(const forest *f, int32_t root, const double *x)
{
    const node *here = f->nodes + root;
    while (here->feature >= 0) {
        double cell = x[here->feature];
        int left = cell <= here->threshold;
        if (f->aside) {
            int32_t number = (int32_t)(here - f->nodes);
            if (cell != cell)
                left = f->aside[number] & 1;
            else if (f->set_many && f->aside[number] & 2)
                left = in_set(f, number, cell);
        }
        here = left ? here + 1 : f->nodes + here->right;
    }
    return here;
}

/*@ trees_of_numbers: trees */
static void trees_of_numbers(vec y, vec x, const forest *f, int32_t many, const int32_t *roots, const int32_t *at, double scale)
{
    for (int32_t k = 0; k < many; k++)
        y.v[at[k]] += scale * leaf(f, roots[k], x.v)->threshold;
}

/*@ trees_of_vectors: trees */
static void trees_of_vectors(vec y, vec x, const forest *f, int32_t many, const int32_t *roots)
{
    for (int32_t k = 0; k < many; k++) {
        const double *values = f->values + leaf(f, roots[k], x.v)->right;
        for (int32_t j = 0; j < y.width; j++)
            y.v[j] += values[j];
    }
}
