/*
 * Any bytes, cut anywhere, through the gate; what must hold is asserted.
 *
 *   make fuzz-c FUZZ_RUNS=1000000
 *
 * The first byte of an input chooses options, the second how the stream is cut, the rest is the
 * stream. It goes through two equal worlds, whole in one and in pieces in the other: replies, log
 * and counters must be the same. What the gate may use of a buffer is its end, so that ASan sees a
 * read or write beyond it. The caller is played here as Python plays it.
 */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "../common.h"

#define CHECK(condition) ((condition) ? (void)0 : abort())

#define OPTION_BUDGET 1
#define OPTION_JUNK_LIMIT 2
#define OPTION_SHORT_SEGMENTS 4
#define OPTION_OTHER_SEEN 8
#define OPTION_NO_LOG 16 /* until the first share finds none */
#define OPTION_SMALL_REPLY 32
#define OPTION_LONG_LINE 64 /* blanks before the stream, nearly as many as a line may have */

#define GENERATION 7
#define CURTIME 0x6b000000u
#define EXTRANONCE2_SIZE 2
#define PART_ROOM 4
#define PART_FULL 3
#define FULL_PARTS 128
#define SEEN_ROOM (PART_ROOM * (SEEN_PARTS + 4 * FULL_PARTS))
#define SHARE_LIMIT 5
#define JOB_ROOM 16
#define SEGMENT_SLOTS 16
#define OUTPUT_MAX (1 << 16)
#define STREAM_MAX (GATE_LINE_MAX + 4096)

/* ---- The world ------------------------------------------------------------ */

static const uint8_t BRANCH[32] = {1};
static const uint8_t PAYEE[] = {3, 0x51, 0x52, 0x53};
static const uint8_t COINBASE[70] = {2};
static struct share_job share, block_share;
static struct gate_work works[] = {
    {&share, 40, GENERATION, 0, CURTIME, CURTIME - 9, 0xffffffff, 0x20000000, 0x1fffe000},
    {&share, 41, GENERATION - 1, 0, CURTIME, CURTIME - 9, 0xffffffff, 0x20000000, 0x1fffe000},
    {&share, -1, GENERATION, 0, CURTIME, CURTIME - 9, 0xffffffff, 0x20000000, 0x1fffe000},
    {&block_share, 42, GENERATION, 0, CURTIME, CURTIME - 9, CURTIME + 9, 0x20000000, 0x1fffe000},
};
static const struct {
    uint32_t number;
    size_t work;
    uint64_t weight;
} JOBS[] = {
    {1, 0, 1}, /* nearly every hash is good */
    {2, 0, 2}, /* every second one */
    {3, 0, UINT64_MAX},
    {4, 1, 1},
    {5, 2, 1},
    {6, 3, 1},
};
#define JOB_COUNT (sizeof JOBS / sizeof JOBS[0])

/* Buffers of which the end is used. */
static uint8_t segments[SEGMENT_SLOTS * SLOT_SIZE], replies[GATE_LINES * GATE_REPLY_MAX];
static uint8_t read_buffer[STREAM_MAX + 8];

/* One gate with one session, and the output of all its calls. */
struct world {
    struct gate gate;
    struct gate_session session;
    struct gate_worker workers[3];
    struct gate_job jobs[JOB_ROOM];
    struct log_tail tail;
    uint64_t now_us;
    uint64_t accepted, taken;
    size_t output_size, records_size;
    uint8_t output[OUTPUT_MAX], records[OUTPUT_MAX];
    struct seen_shares seen;
    uint64_t keys[SEEN_ROOM]; /* of its parts, one after the other */
    size_t keys_used;
};

static void name_worker(struct gate_worker *worker, const char *name, uint32_t worker_id)
{
    worker->name_size = (uint8_t)strlen(name);
    memcpy(worker->name, name, worker->name_size);
    worker->account_id = worker_id / 2;
    worker->worker_id = worker_id;
}

static void turn_segment(struct world *world, int options)
{
    uint64_t slots = options & OPTION_SHORT_SEGMENTS ? 2 : SEGMENT_SLOTS;
    struct log_tail *tail = &world->tail;
    CHECK(slots_whole(tail->slots, tail->used, tail->first_index) == tail->used);
    CHECK(world->records_size + tail->used * SLOT_SIZE <= OUTPUT_MAX);
    if (tail->used)
        memcpy(world->records + world->records_size, tail->slots, tail->used * SLOT_SIZE);
    world->records_size += tail->used * SLOT_SIZE;

    tail->slots = segments + sizeof segments - slots * SLOT_SIZE;
    memset(tail->slots, 0, slots * SLOT_SIZE);
    tail->first_index += tail->used;
    tail->used = 0;
    tail->room = slots;
}

static void start_world(struct world *world, int options)
{
    memset(world, 0, offsetof(struct world, output));
    world->now_us = 5000000;
    memset(world->keys, 0, sizeof world->keys);
    seen_begin(&world->seen, world->keys, PART_ROOM);
    for (size_t part = 0; part < FULL_PARTS; part++) /* full of nothing: has to grow first */
        world->seen.parts[part].count = PART_FULL;
    world->keys_used = SEEN_PARTS * PART_ROOM;
    turn_segment(world, options);

    struct gate *gate = &world->gate;
    gate->jobs = world->jobs;
    gate->job_room = JOB_ROOM;
    gate->generation = GENERATION;
    gate->log = options & OPTION_NO_LOG ? NULL : &world->tail;
    gate->scale_shift = 32;
    gate->junk_limit = options & OPTION_JUNK_LIMIT ? 2 : 0;
    gate->line_cost_us = options & OPTION_BUDGET ? 1000 : 0;
    gate->line_burst_us = 3500;
    gate->seen = &world->seen;
    gate->seen_generation = options & OPTION_OTHER_SEEN ? 1 : GENERATION;
    gate->share_limit = SHARE_LIMIT;

    struct gate_session *session = &world->session;
    session->extranonce1_size = 4;
    session->extranonce2_size = EXTRANONCE2_SIZE;
    session->masks = 0x1fffe000;
    session->payee = PAYEE;
    session->payee_size = sizeof PAYEE;
    session->workers = world->workers;
    session->worker_count = 3;
    name_worker(world->workers, "b", 9);
    name_worker(world->workers + 1, "farm.rig1", 10);
    name_worker(world->workers + 2, "u", 0);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        CHECK(gate_add_job(gate, JOBS[i].number, CURTIME, works + JOBS[i].work));
        gate_remember(session, JOBS[i].number, JOBS[i].weight);
    }
}

/* ---- One call ------------------------------------------------------------- */

static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    return lines;
}

/* Every taken line has one reply, and it echoes an id that is in the line. */
static void check_replies(const uint8_t *line, const uint8_t *reply, const struct gate_result *did)
{
    const uint8_t *end = reply + did->reply_size;
    for (uint32_t i = 0; i < did->lines; i++) {
        const uint8_t *line_end = memchr(line, '\n', GATE_LINE_MAX + 1);
        const uint8_t *reply_end = memchr(reply, '\n', (size_t)(end - reply));
        CHECK(line_end && reply_end && reply_end - reply < GATE_REPLY_MAX);
        CHECK(memcmp(reply, "{\"id\":", 6) == 0);
        const uint8_t *id_end =
            memmem(reply, (size_t)(reply_end - reply), ",\"result\":", 10);
        CHECK(id_end && memmem(line, (size_t)(line_end - line), reply + 6,
                               (size_t)(id_end - reply - 6)));
        line = line_end + 1;
        reply = reply_end + 1;
    }
    CHECK(reply == end);
}

static size_t count_seen(const struct world *world)
{
    size_t count = 0;
    for (size_t part = 0; part < SEEN_PARTS; part++)
        count += world->seen.parts[part].count;
    return count - FULL_PARTS * PART_FULL;
}

static void check_counters(const struct world *world)
{
    const struct gate *gate = &world->gate;
    const struct gate_session *session = &world->session;
    uint64_t judged = 0, rejected = 0;
    for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        judged += gate->verdicts[verdict];
        for (size_t worker = 0; worker < 3; worker++)
            rejected += world->workers[worker].rejected[verdict];
    }
    CHECK(judged == world->taken);
    CHECK(gate->verdicts[VERDICT_ACCEPTED] == world->accepted);
    CHECK(rejected == world->taken - world->accepted && rejected == session->rejected);
    CHECK(session->shares == world->accepted);
    CHECK(session->work_low == gate->work_low && session->work_high == gate->work_high);
    CHECK(world->tail.used <= world->tail.room);
    CHECK(world->tail.next_edge_seq == world->accepted);
    CHECK(session->ring_count == JOB_COUNT && gate->job_count == JOB_COUNT);
}

/* Take what can be taken of size bytes. Returns the gate's status. */
static int call_gate(struct world *world, const uint8_t *bytes, size_t size, int options,
                     size_t *consumed)
{
    uint32_t start = (uint32_t)size % 5; /* a place in the buffer */
    uint8_t *data = read_buffer + sizeof read_buffer - size - start;
    struct gate_result did = {0};
    did.reply_room = (options & OPTION_SMALL_REPLY ? 2 : GATE_LINES) * GATE_REPLY_MAX;
    did.reply = replies + sizeof replies - did.reply_room;
    memset(data, '\n', start);
    memcpy(data + start, bytes, size);

    int status = gate_take(&did, &world->gate, &world->session, data, start,
                           start + (uint32_t)size, world->now_us);
    *consumed = did.consumed - start;
    world->taken += did.lines;
    world->accepted += did.accepted;
    CHECK(did.consumed >= start && *consumed <= size);
    CHECK(did.lines <= GATE_LINES && did.accepted <= did.lines);
    CHECK(did.reply_size <= did.reply_room);
    CHECK(count_lines(bytes, *consumed) == did.lines);
    CHECK(*consumed == 0 || bytes[*consumed - 1] == '\n');
    check_replies(bytes, did.reply, &did);
    check_counters(world);

    CHECK(world->output_size + did.reply_size <= OUTPUT_MAX);
    memcpy(world->output + world->output_size, did.reply, did.reply_size);
    world->output_size += did.reply_size;
    return status;
}

/* Another block's, a part that is full, or a session that has had its shares: mend it. */
static void renew_seen(struct world *world)
{
    struct gate *gate = &world->gate;
    struct seen_shares *seen = &world->seen;
    CHECK(gate->seen_generation != GENERATION || gate_is_full(gate, &world->session) ||
          seen_full_part(seen, 0, 0) < SEEN_PARTS);
    gate->seen_generation = GENERATION;
    if (gate_is_full(gate, &world->session))
        gate->share_limit += SHARE_LIMIT;
    for (size_t part = 0; (part = seen_full_part(seen, part, 0)) < SEEN_PARTS;) {
        uint32_t room = 2 * seen->parts[part].room;
        CHECK(world->keys_used + room <= SEEN_ROOM);
        seen_grow(seen, part, world->keys + world->keys_used, room);
        world->keys_used += room;
    }
}

/* ---- The caller ----------------------------------------------------------- */

/* Do what Python does about a status. Returns how many bytes it took itself; 0: more are needed. */
static size_t answer(struct world *world, int status, const uint8_t *rest, size_t size,
                     int options, int *is_over)
{
    const uint8_t *line_end = size ? memchr(rest, '\n', size) : NULL;
    switch (status) {
    case GATE_MORE:
        CHECK(!line_end && size <= GATE_LINE_MAX);
        break;
    case GATE_LINE:
        CHECK(line_end || size > GATE_LINE_MAX);
        *is_over = !line_end || line_end - rest > GATE_LINE_MAX; /* the connection is closed */
        return line_end ? (size_t)(line_end - rest) + 1 : size;
    case GATE_SEEN:
        renew_seen(world);
        break;
    case GATE_WORKER: {
        struct gate_worker *worker = world->workers + world->session.worker_hint;
        CHECK(line_end && world->session.worker_hint < 3 && !worker->worker_id);
        worker->account_id = worker->worker_id = 7;
        break;
    }
    case GATE_BUDGET:
        CHECK(gate_line_wait(&world->gate, &world->session, world->now_us) > 0);
        CHECK(!gate_pay_line(&world->gate, &world->session, world->now_us));
        world->now_us += gate_line_wait(&world->gate, &world->session, world->now_us);
        break;
    case GATE_LOG_FULL:
        CHECK(!world->gate.log || world->tail.used == world->tail.room);
        if (world->gate.log)
            turn_segment(world, options);
        world->gate.log = &world->tail;
        break;
    case GATE_LIMIT:
        CHECK(line_end != NULL);
        break;
    default:
        abort();
    }
    return 0;
}

/* Bytes come in pieces: of a pseudo-random size, or all at once where seed is 0. */
static size_t next_piece(uint32_t *seed, size_t left)
{
    if (!*seed)
        return left;
    *seed = *seed * 1664525u + 1013904223u;
    size_t most = *seed >> 30 ? 1 + (*seed >> 16) % 200 : 1 + (*seed >> 16) % 2000;
    return most < left ? most : left;
}

static void drive(struct world *world, const uint8_t *stream, size_t size, int options,
                  uint32_t seed)
{
    size_t at = 0, end = 0, consumed;
    int is_over = 0;
    start_world(world, options);
    do {
        end += next_piece(&seed, size - end);
        int status;
        do {
            status = call_gate(world, stream + at, end - at, options, &consumed);
            at += consumed;
            at += answer(world, status, stream + at, end - at, options, &is_over);
        } while (status != GATE_MORE && !is_over);
    } while (end < size && !is_over);
    turn_segment(world, options);
    CHECK(count_seen(world) == world->accepted);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    sha256_autodetect();
    share = (struct share_job){.coinb1 = COINBASE,
                               .coinb1_size = sizeof COINBASE,
                               .coinb2 = COINBASE,
                               .coinb2_size = 20,
                               .coinb2_end = COINBASE,
                               .branch = BRANCH,
                               .branch_count = 1,
                               .nbits = 0x1d00ffff};
    share_job_init(&share);
    block_share = share;
    memset(block_share.network_target, 0xff, 32);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world whole, pieces;
    static uint8_t stream[STREAM_MAX];
    if (size < 2 || size > 4096)
        return 0;
    int options = data[0];
    uint32_t seed = data[1] + 1u;
    size_t blanks = options & OPTION_LONG_LINE ? GATE_LINE_MAX - 90 : 0;
    size_t stream_size = blanks + size - 2;
    memset(stream, ' ', blanks);
    memcpy(stream + blanks, data + 2, size - 2);

    drive(&whole, stream, stream_size, options, 0);
    drive(&pieces, stream, stream_size, options, seed);
    CHECK(whole.taken == pieces.taken && whole.accepted == pieces.accepted);
    CHECK(whole.output_size == pieces.output_size && whole.records_size == pieces.records_size);
    CHECK(memcmp(whole.output, pieces.output, whole.output_size) == 0);
    CHECK(memcmp(whole.records, pieces.records, whole.records_size) == 0);
    return 0;
}
