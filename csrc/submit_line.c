/*
 * Read one line of a connection as a plain mining.submit.
 *
 *   {"id": 4, "method": "mining.submit", "params": ["name", "job", "en2", "ntime", "nonce", "bits"]}
 *
 * The three keys come in any order, each once, with any white space that JSON allows. Everything
 * else is refused here and read by Python: escapes, null ids, fractions, other keys, upper-case job
 * ids. So what this accepts is a small part of JSON, and means the same in all of it.
 */
#include "submit_line.h"

#include <string.h>

#define ID_DIGITS_MAX 18  /* fits 64 bits, as any client counts */
#define ID_STRING_MAX 100 /* far below what Python echoes */

/* What is left to read. */
struct scan {
    const uint8_t *at;
    const uint8_t *end;
};

/* A hex digit is its value and these; anything else is 0. */
#define DIGIT 0x80
#define UPPER 0x40

static const uint8_t HEX[256] = {
    ['0'] = DIGIT | 0,          ['1'] = DIGIT | 1,          ['2'] = DIGIT | 2,
    ['3'] = DIGIT | 3,          ['4'] = DIGIT | 4,          ['5'] = DIGIT | 5,
    ['6'] = DIGIT | 6,          ['7'] = DIGIT | 7,          ['8'] = DIGIT | 8,
    ['9'] = DIGIT | 9,          ['a'] = DIGIT | 10,         ['b'] = DIGIT | 11,
    ['c'] = DIGIT | 12,         ['d'] = DIGIT | 13,         ['e'] = DIGIT | 14,
    ['f'] = DIGIT | 15,         ['A'] = DIGIT | UPPER | 10, ['B'] = DIGIT | UPPER | 11,
    ['C'] = DIGIT | UPPER | 12, ['D'] = DIGIT | UPPER | 13, ['E'] = DIGIT | UPPER | 14,
    ['F'] = DIGIT | UPPER | 15,
};

static size_t left(const struct scan *scan)
{
    return (size_t)(scan->end - scan->at);
}

static void skip_blanks(struct scan *scan)
{
    while (left(scan) && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

/* One byte of JSON's own, with the white space before it. */
static int take(struct scan *scan, uint8_t byte)
{
    skip_blanks(scan);
    if (!left(scan) || *scan->at != byte)
        return 0;
    scan->at++;
    return 1;
}

/* The next bytes as they are. */
static int take_text(struct scan *scan, const char *text, size_t size)
{
    if (left(scan) < size || memcmp(scan->at, text, size) != 0)
        return 0;
    scan->at += size;
    return 1;
}

#define TAKE_TEXT(scan, text) take_text(scan, text, sizeof(text) - 1)

/* The inside of a string that spells itself: printable ASCII, no escapes. And its end. */
static int take_plain_string(struct scan *scan, const uint8_t **text, size_t *size)
{
    if (!take(scan, '"'))
        return 0;
    *text = scan->at;
    while (left(scan) && *scan->at >= ' ' && *scan->at <= '~' && *scan->at != '"' &&
           *scan->at != '\\')
        scan->at++;
    *size = (size_t)(scan->at - *text);
    return TAKE_TEXT(scan, "\"");
}

/* A string of exactly so many hex digits, 16 at most; none of the `refused` kind. */
static int take_hex(struct scan *scan, uint64_t *value, size_t digits, uint8_t refused)
{
    if (!take(scan, '"') || left(scan) < digits)
        return 0;
    uint8_t all = DIGIT, any = 0;
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = HEX[scan->at[i]];
        all &= digit;
        any |= digit;
        *value = *value << 4 | (digit & 15u);
    }
    scan->at += digits;
    return all == DIGIT && !(any & refused) && TAKE_TEXT(scan, "\"");
}

static int take_hex32(struct scan *scan, uint32_t *word, uint8_t refused)
{
    uint64_t value;
    if (!take_hex(scan, &value, 8, refused))
        return 0;
    *word = (uint32_t)value;
    return 1;
}

static int take_hex_bytes(struct scan *scan, uint8_t *bytes, size_t size)
{
    uint64_t value;
    if (size == 0 || !take_hex(scan, &value, 2 * size, 0))
        return 0;
    while (size > 0) {
        bytes[--size] = (uint8_t)value;
        value >>= 8;
    }
    return 1;
}

/* The digits of an integer; what may not follow them, the caller finds there. */
static int take_digits(struct scan *scan)
{
    const uint8_t *start = scan->at;
    while (left(scan) && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    size_t digits = (size_t)(scan->at - start);
    return digits == 1 || (digits > 1 && digits <= ID_DIGITS_MAX && *start != '0');
}

static int take_id(struct scan *scan, struct submit_line *submit)
{
    const uint8_t *text;
    size_t size;
    skip_blanks(scan);
    submit->id = scan->at;
    if (left(scan) && *scan->at == '"') {
        if (!take_plain_string(scan, &text, &size) || size == 0 || size > ID_STRING_MAX)
            return 0;
    } else if (!take_digits(scan)) {
        return 0;
    }
    submit->id_size = (size_t)(scan->at - submit->id);
    return 1;
}

static int take_method(struct scan *scan)
{
    skip_blanks(scan);
    return TAKE_TEXT(scan, "\"mining.submit\"");
}

/* The sixth parameter: null is the same as none. */
static int take_version_bits(struct scan *scan, uint32_t *bits)
{
    skip_blanks(scan);
    return TAKE_TEXT(scan, "null") || take_hex32(scan, bits, 0);
}

static int take_params(struct scan *scan, struct submit_line *submit, size_t extranonce2_size)
{
    submit->version_bits = 0;
    return take(scan, '[') &&
           take_plain_string(scan, &submit->worker_name, &submit->worker_name_size) &&
           take(scan, ',') && take_hex32(scan, &submit->job_number, UPPER) && take(scan, ',') &&
           take_hex_bytes(scan, submit->extranonce2, extranonce2_size) && take(scan, ',') &&
           take_hex32(scan, &submit->ntime, 0) && take(scan, ',') &&
           take_hex32(scan, &submit->nonce, 0) &&
           (!take(scan, ',') || take_version_bits(scan, &submit->version_bits)) &&
           take(scan, ']');
}

#define KEY_ID 1u
#define KEY_METHOD 2u
#define KEY_PARAMS 4u

/* One member of the object. Returns its key, 0 if it is none of ours. */
static unsigned take_member(struct scan *scan, struct submit_line *submit,
                            size_t extranonce2_size)
{
    skip_blanks(scan);
    if (TAKE_TEXT(scan, "\"id\""))
        return take(scan, ':') && take_id(scan, submit) ? KEY_ID : 0;
    if (TAKE_TEXT(scan, "\"method\""))
        return take(scan, ':') && take_method(scan) ? KEY_METHOD : 0;
    if (TAKE_TEXT(scan, "\"params\""))
        return take(scan, ':') && take_params(scan, submit, extranonce2_size) ? KEY_PARAMS : 0;
    return 0;
}

int submit_line_read(struct submit_line *submit, const uint8_t *line, size_t size,
                     size_t extranonce2_size)
{
    struct scan scan = {line, line + size};
    unsigned keys = 0;
    if (!take(&scan, '{'))
        return 0;
    do {
        unsigned key = take_member(&scan, submit, extranonce2_size);
        if (!key || keys & key)
            return 0;
        keys |= key;
    } while (take(&scan, ','));

    if (keys != (KEY_ID | KEY_METHOD | KEY_PARAMS) || !take(&scan, '}'))
        return 0;
    skip_blanks(&scan);
    return !left(&scan);
}
