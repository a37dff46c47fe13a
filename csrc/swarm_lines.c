/*
 * A pool's line: one walk over its bytes, nothing copied.
 *
 * Any order of members, any white space. It finds values, it does not prove that a line is JSON:
 * a swarm talks to the pool that it tests, and what it can't use goes to the caller, who reads
 * with all suspicion. Variable time; public inputs only.
 */
#include "swarm_parts.h"

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* From the opening quote to after the closing one, or NULL. A notify is one long string after
 * the other: they are leapt over, and a quote is looked at for the backslashes before it. */
static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *start = ++at;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        const uint8_t *before = at;
        while (before > start && before[-1] == '\\')
            before--;
        at++;
        if ((at - before) % 2 != 0) /* an even number, and the quote */
            return at;
    }
    return NULL;
}

static int ends_word(uint8_t byte)
{
    return byte == ',' || byte == ':' || byte == ']' || byte == '}' || byte == '[' ||
           byte == '{' || byte == '"' || byte == ' ' || byte == '\t' || byte == '\r';
}

/* To after the value that begins here, or NULL where none does. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;
    do {
        at = skip_blanks(at, end);
        if (at == end)
            return NULL;
        if (*at == '"') {
            at = skip_string(at, end);
            if (at == NULL)
                return NULL;
        } else if (*at == '[' || *at == '{') {
            depth++;
            at++;
        } else if (ends_word(*at)) {
            if (depth == 0)
                return NULL;
            depth -= *at == ']' || *at == '}';
            at++;
        } else {
            while (at < end && !ends_word(*at))
                at++;
        }
    } while (depth > 0);
    return at;
}

/* Take one value and what follows it: a comma, or the closing bracket that ends the walk.
 * Returns to after that byte, or NULL. */
static const uint8_t *take_value(struct span *value, const uint8_t *at, const uint8_t *end)
{
    at = skip_blanks(at, end);
    const uint8_t *after = skip_value(at, end);
    if (after == NULL)
        return NULL;
    value->at = at;
    value->size = (size_t)(after - at);
    after = skip_blanks(after, end);
    if (after == end || (*after != ',' && *after != ']' && *after != '}'))
        return NULL;
    return after + 1;
}

int span_equals(struct span span, const char *text)
{
    size_t size = strlen(text);
    return span.at != NULL && span.size == size && memcmp(span.at, text, size) == 0;
}

static struct span *member(struct pool_line *line, struct span key)
{
    switch (key.size) {
    case 4:
        return span_equals(key, "\"id\"") ? &line->id : NULL;
    case 7:
        return span_equals(key, "\"error\"") ? &line->error : NULL;
    case 8:
        if (span_equals(key, "\"result\""))
            return &line->result;
        if (span_equals(key, "\"method\""))
            return &line->method;
        return span_equals(key, "\"params\"") ? &line->params : NULL;
    case 15:
        return span_equals(key, "\"reject-reason\"") ? &line->reject_reason : NULL;
    default:
        return NULL;
    }
}

int pool_line_read(struct pool_line *line, const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    memset(line, 0, sizeof *line);
    at = skip_blanks(at, end);
    if (at == end || *at != '{')
        return 0;
    do {
        struct span key = {skip_blanks(at + 1, end), 0}, value;
        if (key.at == end || *key.at != '"')
            return 0;
        at = skip_string(key.at, end);
        if (at == NULL)
            return 0;
        key.size = (size_t)(at - key.at);
        at = skip_blanks(at, end);
        if (at == end || *at != ':')
            return 0;
        at = take_value(&value, at + 1, end);
        if (at == NULL)
            return 0;
        struct span *place = member(line, key);
        if (place != NULL)
            *place = value;
        at--; /* onto the comma or the bracket */
    } while (*at == ',');
    return *at == '}' && skip_blanks(at + 1, end) == end;
}

int array_read(struct span *items, int room, struct span array)
{
    if (array.at == NULL || *array.at != '[')
        return -1;
    const uint8_t *at = array.at + 1, *end = array.at + array.size;
    if (*skip_blanks(at, end) == ']')
        return 0;
    int count = 0;
    do {
        if (count == room)
            return -1;
        at = take_value(&items[count], at, end);
        if (at == NULL)
            return -1;
        count++;
    } while (at[-1] == ',');
    return at[-1] == ']' ? count : -1;
}

int span_string(struct span *inside, struct span span)
{
    if (span.at == NULL || *span.at != '"')
        return 0;
    inside->at = span.at + 1;
    inside->size = span.size - 2;
    return 1;
}

int span_number(uint64_t *number, struct span span)
{
    struct span digits = span;
    span_string(&digits, span);
    if (digits.at == NULL || digits.size == 0 || digits.size > 18)
        return 0;
    *number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return 0;
        *number = *number * 10 + (uint64_t)(digits.at[i] - '0');
    }
    return 1;
}

/* One more than the value of a hex digit; 0 for any other byte. */
static const uint8_t DIGIT[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int span_hex(uint8_t *bytes, size_t size, struct span span)
{
    struct span text;
    if (!span_string(&text, span) || text.size != 2 * size)
        return 0;
    for (size_t i = 0; i < size; i++) {
        unsigned high = DIGIT[text.at[2 * i]], low = DIGIT[text.at[2 * i + 1]];
        if (high == 0 || low == 0)
            return 0;
        bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return 1;
}

int span_hex32(uint32_t *number, struct span span)
{
    struct span text;
    if (!span_string(&text, span) || text.size == 0 || text.size > 8)
        return 0;
    *number = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint32_t value = DIGIT[text.at[i]];
        if (value == 0)
            return 0;
        *number = *number << 4 | (value - 1);
    }
    return 1;
}
