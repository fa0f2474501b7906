/*@ decode */
#define END 0xFFFFFFFFu /* no code point: the end of a text */

/* The code point at a place of a text that was found to be UTF-8; the place moves behind it. */
static uint32_t decode(const unsigned char **at)
{
    uint32_t c = *(*at)++;
    if (c < 0x80)
        return c;
    int more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    c &= 0x3Fu >> more;
    while (more--)
        c = c << 6 | (*(*at)++ & 0x3Fu);
    return c;
}

/*@ utf8 */
/* Whether a text is UTF-8: no code point is written too long, is a surrogate, or beyond the last. */
static int utf8(text given)
{
    const unsigned char *at = (const unsigned char *)given.data, *end = at + given.size;
    while (at < end) {
        unsigned first = *at++;
        if (first < 0x80)
            continue;
        if (first < 0xC2 || first > 0xF4)
            return 0;
        int more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if (end - at < more)
            return 0;
        unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (*at < low || *at > high)
            return 0;
        for (at++; --more; at++)
            if (*at < 0x80 || *at > 0xBF)
                return 0;
    }
    return 1;
}

/*@ within */
/* Whether a code point is within one of some ranges: first, last, first, last, and so on, rising. */
static int within(uint32_t c, const uint32_t *ranges, int32_t many)
{
    int32_t low = 0, high = many;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (ranges[2 * middle + 1] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < many && ranges[2 * low] <= c;
}

/*@ lower: decode within LOWER */
/* Whether a capital sigma ends a word: something cased stands before it, and nothing cased behind it. */
static int ends_word(const unsigned char *begin, const unsigned char *sigma, const unsigned char *behind, const unsigned char *end)
{
    uint32_t c = END;
    while (sigma > begin) {
        const unsigned char *at = sigma - 1;
        while ((*at & 0xC0) == 0x80)
            at--;
        sigma = at;
        c = decode(&at);
        if (!within(c, IGNORABLE, IGNORABLE_MANY))
            break;
        c = END;
    }
    if (c == END || !within(c, CASED, CASED_MANY))
        return 0;
    while (behind < end) {
        c = decode(&behind);
        if (!within(c, IGNORABLE, IGNORABLE_MANY))
            return !within(c, CASED, CASED_MANY);
    }
    return 1;
}

static uint32_t lower_of(uint32_t c)
{
    int32_t low = 0, high = LOWER_MANY;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (LOWER[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == LOWER_MANY || c < LOWER[low].first || (c - LOWER[low].first) % LOWER[low].step)
        return c;
    return (uint32_t)((int32_t)c + LOWER[low].by);
}

/*@ decomposition */
/* What code points become without their accents; others are dropped, or stay. */
typedef struct {
    const uint32_t *signs; /* rising */
    const uint16_t *starts;
    const uint32_t *pool;
    int32_t many;
    int drops, hangul;
} decomposition;

/*@ accents: decomposition */
static int32_t decomposed(uint32_t c, const decomposition *table)
{
    int32_t low = 0, high = table->many;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (table->signs[middle] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->many && table->signs[low] == c ? low : -1;
}

/*@ reader: decode */
/* A place in a text, and what the code point before it still gives. */
typedef struct {
    const unsigned char *begin, *at, *end;
    uint32_t pending; /* what lower-casing made besides */
    const uint32_t *queue;
    int32_t queued;   /* what a decomposition still gives */
    uint32_t jamo[2]; /* likewise of a syllable of Hangul, the last first */
    int32_t jamos;
} reader;

static reader begin_of(text given)
{
    reader r = {0};
    r.begin = r.at = (const unsigned char *)given.data;
    r.end = r.begin + given.size;
    return r;
}

/*@ next_lower: reader lower */
static uint32_t next_lower(reader *r)
{
    if (r->pending) {
        uint32_t c = r->pending;
        r->pending = 0;
        return c;
    }
    if (r->at == r->end)
        return END;
    const unsigned char *here = r->at;
    uint32_t c = decode(&r->at);
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c == 0x3A3)
        return ends_word(r->begin, here, r->at, r->end) ? 0x3C2 : 0x3C3;
    if (c == 0x130) {
        r->pending = 0x307;
        return 'i';
    }
    return lower_of(c);
}

/*@ next_as_is: reader */
static uint32_t next_as_is(reader *r)
{
    return r->at == r->end ? END : decode(&r->at);
}

/*@ next: reader accents analyzer LOWERED */
/* The next code point of a text as the analyzer sees it: in lower case, and without accents, where that is asked for. */
static uint32_t next(reader *r, const analyzer *a)
{
    for (;;) {
        if (r->queued) {
            r->queued--;
            return *r->queue++;
        }
        if (r->jamos)
            return r->jamo[--r->jamos];
        uint32_t c = LOWERED(r, a);
        if (c < 0x80 || c == END || !a->accents)
            return c;
        if (a->accents->hangul && c >= 0xAC00 && c <= 0xD7A3) {
            uint32_t syllable = c - 0xAC00;
            if (syllable % 28)
                r->jamo[r->jamos++] = 0x11A7 + syllable % 28;
            r->jamo[r->jamos++] = 0x1161 + syllable % 588 / 28;
            return 0x1100 + syllable / 588;
        }
        int32_t place = decomposed(c, a->accents);
        if (place >= 0) {
            r->queue = a->accents->pool + a->accents->starts[place];
            r->queued = a->accents->starts[place + 1] - a->accents->starts[place];
        } else if (!a->accents->drops)
            return c;
    }
}

/*@ analyzer: decomposition vocabulary */
/* A part of a token pattern: a boundary, or code points of some sets (bits of CLASSES) or ranges, or of none of them. */
typedef struct {
    int boundary, inverted, in, out;
    const uint32_t *ranges;
    int32_t ranges_many, least, most; /* most -1: any number */
    int32_t state;                    /* the number of its first state; a part has one for each count */
} pattern_part;

typedef struct {
    int lowercase;
    const decomposition *accents;
    int32_t least, most; /* of n-grams */
    const pattern_part *parts;
    int32_t parts_many, first; /* first: the part that a token begins with; -1: it may be empty */
    const vocabulary *stop;
    int32_t kept; /* code points that are looked back at */
} analyzer;

/*@ vocabulary: SIGN */
/* Terms, as code points one behind the other, found by a hash. */
typedef struct {
    const term_sign *signs;
    const uint32_t *starts, *slots; /* slots: the number of a term + 1; 0: none */
    uint32_t mask;
    int32_t longest;
} vocabulary;

/*@ tail: vec analyzer */
#define PRIME 16777619u

/* What an analyzer works with, for a row. `signs` holds the last code points; of words, the last tokens, joined by spaces. */
typedef struct {
    vec y;
    const vocabulary *terms; /* NULL: terms are hashed */
    int32_t width;
    int binary, has_signs;
    uint32_t *signs;
    int32_t end, used;       /* used: how many signs may be part of an n-gram; of words, how many tokens */
    int32_t *lengths;        /* of the last tokens */
    uint32_t *hashes, *powers;
    uint32_t *murmurs;       /* of the n-grams begun with the last tokens: hash, bytes not yet mixed, number of bytes */
    int16_t *threads[2];
    uint32_t *seen, *stamp;
} tail;

/*@ counted: tail */
/* Add to an element; -0.0 stands for one that was added to and is zero again. */
static void counted(tail *t, int32_t place, double one)
{
    double *cell = t->y.v + place;
    if (*cell == 0 && !signbit(*cell))
        t->y.at[(*t->y.many)++] = place;
    *cell = t->binary ? 1 : *cell + one;
    if (*cell == 0)
        *cell = -0.0;
}

/*@ look_up: tail */
/* The number of the term that the last signs are, -1 if they are none. */
static int32_t look_up(const vocabulary *terms, const uint32_t *signs, int32_t length, uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x85EBCA6Bu;
    hash ^= hash >> 13;
    for (uint32_t slot = hash & terms->mask; terms->slots[slot]; slot = (slot + 1) & terms->mask) {
        uint32_t term = terms->slots[slot] - 1, start = terms->starts[term];
        if (terms->starts[term + 1] - start != (uint32_t)length)
            continue;
        int32_t k = 0;
        while (k < length && terms->signs[start + (uint32_t)k] == signs[k])
            k++;
        if (k == length)
            return (int32_t)term;
    }
    return -1;
}

/*@ murmur: counted */
static void mix(uint32_t *state, uint32_t byte)
{
    state[1] |= byte << 8 * (state[2] & 3);
    if ((++state[2] & 3) == 0) {
        uint32_t k = state[1] * 0xCC9E2D51u;
        k = (k << 15 | k >> 17) * 0x1B873593u;
        state[0] ^= k;
        state[0] = (state[0] << 13 | state[0] >> 19) * 5 + 0xE6546B64u;
        state[1] = 0;
    }
}

static void mix_sign(uint32_t *state, uint32_t c)
{
    if (c < 0x80) {
        mix(state, c);
        return;
    }
    if (c < 0x800)
        mix(state, 0xC0 | c >> 6);
    else {
        if (c < 0x10000)
            mix(state, 0xE0 | c >> 12);
        else {
            mix(state, 0xF0 | c >> 18);
            mix(state, 0x80 | (c >> 12 & 0x3F));
        }
        mix(state, 0x80 | (c >> 6 & 0x3F));
    }
    mix(state, 0x80 | (c & 0x3F));
}

static void hashed(tail *t, const uint32_t *state)
{
    uint32_t k = state[1] * 0xCC9E2D51u, h = state[0];
    h ^= (k << 15 | k >> 17) * 0x1B873593u;
    h ^= state[2];
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    int negative = h >> 31;
    uint32_t size = negative ? 0u - h : h;
    counted(t, (int32_t)(size % (uint32_t)t->width), negative && t->has_signs ? -1 : 1);
}

/*@ windows_counted: counted look_up */
/* Count the n-grams that end with the last sign. */
static void windows_counted(tail *t, const analyzer *a)
{
    uint32_t hash = 0, power = 1;
    const uint32_t *end = t->signs + t->end;
    for (int32_t n = 1; n <= a->most && n <= t->used && n <= t->terms->longest; n++, power *= PRIME) {
        hash += end[-n] * power;
        int32_t place = n < a->least ? -1 : look_up(t->terms, end - n, n, hash);
        if (place >= 0)
            counted(t, place, 1);
    }
}

/*@ windows_hashed: murmur */
static void windows_hashed(tail *t, const analyzer *a)
{
    for (int32_t n = a->least; n <= a->most && n <= t->used; n++) {
        uint32_t state[3] = {0, 0, 0};
        for (int32_t k = n; k; k--)
            mix_sign(state, t->signs[t->end - k]);
        hashed(t, state);
    }
}

/*@ room: tail */
/* Make room for more signs, and keep the last ones. */
static void room(tail *t, const analyzer *a, int32_t more)
{
    if (t->end + more <= 2 * a->kept + 2)
        return;
    memmove(t->signs, t->signs + t->end - a->kept, sizeof(uint32_t) * (size_t)a->kept);
    t->end = a->kept;
}

/*@ sign: room WINDOWS */
static void sign(tail *t, const analyzer *a, uint32_t c)
{
    room(t, a, 1);
    t->signs[t->end++] = c;
    t->used += t->used < a->kept;
    WINDOWS(t, a);
}

/*@ space: within SPACES decode */
static int is_space(uint32_t c)
{
    return c != END && within(c, SPACES, SPACES_MANY);
}

/*@ signs: sign next space */
/* N-grams of code points; two or more white spaces are one space. */
static void signs(tail *t, const analyzer *a, text given)
{
    reader r = begin_of(given);
    for (uint32_t c = next(&r, a); c != END;) {
        uint32_t then = next(&r, a);
        if (is_space(c) && is_space(then)) {
            while (is_space(then))
                then = next(&r, a);
            c = ' ';
        }
        sign(t, a, c);
        c = then;
    }
}

/*@ signs_of_words: sign next space */
/* The same within words, each with a space before and behind; one that is shorter than any n-gram counts itself. */
static void signs_of_words(tail *t, const analyzer *a, text given)
{
    reader r = begin_of(given);
    for (uint32_t c = next(&r, a); c != END;) {
        if (is_space(c)) {
            c = next(&r, a);
            continue;
        }
        t->used = 0;
        sign(t, a, ' ');
        for (; c != END && !is_space(c); c = next(&r, a))
            sign(t, a, c);
        sign(t, a, ' ');
        if (t->used < a->least) {
            analyzer whole = *a;
            whole.least = whole.most = t->used;
            WINDOWS(t, &whole);
        }
    }
}

/*@ fits: within WORDS SPACES decode */
static const unsigned char ASCII_CLASSES[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4,
    4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
};

/* Which of some sets a code point is in: 1 letters, numbers and _, 2 digits, 4 white space. */
static int classes(uint32_t c, int asked)
{
    if (c < 0x80)
        return ASCII_CLASSES[c];
    return (asked & 1 && within(c, WORDS, WORDS_MANY) ? 1 : 0) | (asked & 2 && within(c, DIGITS, DIGITS_MANY) ? 2 : 0)
        | (asked & 4 && within(c, SPACES, SPACES_MANY) ? 4 : 0);
}

static int is_word(uint32_t c)
{
    return c != END && classes(c, 1) & 1;
}

/*@ pattern: fits tail next */
static int fits(const pattern_part *p, uint32_t c)
{
    int found = p->in | p->out ? classes(c, p->in | p->out) : 0;
    int in = (found & p->in) || (~found & p->out) || (p->ranges_many && within(c, p->ranges, p->ranges_many));
    return in != p->inverted;
}

/* Add the states that are reached without taking a code point, the greediest first, each once. */
static int32_t follow(const analyzer *a, tail *t, int16_t *into, int32_t many, int32_t part, int32_t count, int boundary)
{
    for (;; part++, count = 0) {
        const pattern_part *p = a->parts + part;
        int last = part == a->parts_many;
        uint32_t *seen = t->seen + p->state + count;
        if (*seen == *t->stamp)
            return many;
        *seen = *t->stamp;
        if (!last && p->boundary) {
            if (!boundary)
                return many;
            continue;
        }
        if (last || p->most < 0 || count < p->most) {
            into[2 * many] = (int16_t)part;
            into[2 * many++ + 1] = (int16_t)count;
        }
        if (last || count < p->least)
            return many;
    }
}

static void new_stamp(const analyzer *a, tail *t)
{
    if (++*t->stamp == 0) {
        memset(t->seen, 0, sizeof(uint32_t) * (size_t)(a->parts[a->parts_many].state + 1));
        *t->stamp = 1;
    }
}

/* The length of the token at a place, -1 if there is none: what backtracking would find, in one pass. The place moves
   behind it, `before` is the code point before the place, and the first signs of the token are written down. */
static int64_t token_at(const analyzer *a, tail *t, reader *r, uint32_t *before, uint32_t *signs_of_token)
{
    reader here = *r, after = here, end = here;
    uint32_t last = *before, ends_with = last, c = next(&after, a);
    int64_t length = -1, count = 0;
    int16_t *now = t->threads[0], *later = t->threads[1];
    new_stamp(a, t);
    int32_t many = follow(a, t, now, 0, 0, 0, is_word(last) != is_word(c));
    while (many) {
        reader beyond = after;
        uint32_t then = c == END ? END : next(&beyond, a);
        int boundary = is_word(c) != is_word(then);
        int32_t more = 0;
        new_stamp(a, t);
        for (int32_t k = 0; k < many; k++) {
            const pattern_part *p = a->parts + now[2 * k];
            int32_t so_far = now[2 * k + 1];
            if (now[2 * k] == a->parts_many) {
                length = count;
                end = here;
                ends_with = last;
                break;
            }
            if (c != END && fits(p, c))
                more = follow(a, t, later, more, now[2 * k], p->most < 0 && so_far == p->least ? so_far : so_far + 1, boundary);
        }
        if (count < a->kept)
            signs_of_token[count] = c;
        count++;
        last = c;
        c = then;
        here = after;
        after = beyond;
        int16_t *swapped = now;
        now = later;
        later = swapped;
        many = more;
    }
    *r = end;
    *before = ends_with;
    return length;
}

/*@ words: pattern look_up room TOKEN */
static int stopped(const analyzer *a, const uint32_t *signs_of_token, int64_t length)
{
    uint32_t hash = 0;
    if (!a->stop || length > a->stop->longest)
        return 0;
    for (int64_t k = 0; k < length; k++)
        hash = hash * PRIME + signs_of_token[k];
    return look_up(a->stop, signs_of_token, (int32_t)length, hash) >= 0;
}

/* N-grams of the tokens that the pattern finds from left to right, without stop words. */
static void words(tail *t, const analyzer *a, text given)
{
    reader r = begin_of(given);
    uint32_t before = END;
    for (;;) {
        reader start = r, after = r;
        uint32_t c = next(&after, a);
        int64_t length = -1;
        if (a->first < 0 || (c != END && fits(a->parts + a->first, c))) {
            room(t, a, a->kept + 1);
            t->signs[t->end] = ' ';
            length = token_at(a, t, &r, &before, t->signs + t->end + 1);
            if (length >= 0 && !stopped(a, t->signs + t->end + 1, length))
                TOKEN(t, a, start, length);
        }
        if (length > 0)
            continue;
        if (c == END)
            return;
        r = after;
        before = c;
    }
}

/*@ token_counted: counted look_up next */
/* Count the n-grams that end with a token, which was written behind the last signs. */
static void token_counted(tail *t, const analyzer *a, reader start, int64_t length)
{
    int32_t newest = t->used % a->most;
    (void)start;
    if (length > t->terms->longest) {
        t->used = 0;
        return;
    }
    t->lengths[newest] = (int32_t)length;
    t->hashes[newest] = 0;
    t->powers[newest] = 1;
    for (int32_t k = 1; k <= length; k++) {
        t->hashes[newest] = t->hashes[newest] * PRIME + t->signs[t->end + k];
        t->powers[newest] *= PRIME;
    }
    t->end += (int32_t)length + 1;
    t->used = t->used + 1 < 2 * a->most ? t->used + 1 : t->used + 1 - a->most;
    uint32_t hash = 0, power = 1;
    int32_t reach = 0;
    for (int32_t n = 1; n <= a->most && n <= t->used; n++) {
        int32_t one = (newest + a->most - (n - 1)) % a->most;
        if (n > 1) {
            hash += ' ' * power;
            power *= PRIME;
            reach++;
        }
        hash += t->hashes[one] * power;
        power *= t->powers[one];
        reach += t->lengths[one];
        if (reach > t->terms->longest)
            return;
        int32_t place = n < a->least ? -1 : look_up(t->terms, t->signs + t->end - reach, reach, hash);
        if (place >= 0)
            counted(t, place, 1);
    }
}

/*@ token_hashed: murmur next */
/* Hash the n-grams that end with a token: those begun with each of the last ones go on. */
static void token_hashed(tail *t, const analyzer *a, reader start, int64_t length)
{
    int32_t newest = t->used % a->most, live;
    memset(t->murmurs + 3 * newest, 0, 3 * sizeof(uint32_t));
    t->used = t->used + 1 < 2 * a->most ? t->used + 1 : t->used + 1 - a->most;
    live = t->used < a->most ? t->used : a->most;
    for (int32_t n = 2; n <= live; n++)
        mix(t->murmurs + 3 * ((newest + a->most - (n - 1)) % a->most), ' ');
    while (length--) {
        uint32_t c = next(&start, a);
        for (int32_t n = 1; n <= live; n++)
            mix_sign(t->murmurs + 3 * ((newest + a->most - (n - 1)) % a->most), c);
    }
    for (int32_t n = a->least; n <= live; n++)
        hashed(t, t->murmurs + 3 * ((newest + a->most - (n - 1)) % a->most));
}
