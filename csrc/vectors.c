/*
 * The self test: what others have published, and every back end against portable.
 *
 * It runs in CI from selftest.c, natively, under sanitizers and, for aarch64,
 * under qemu; and wherever somebody doubts a machine. The smoke test at
 * selection takes microseconds; this takes milliseconds.
 */
#include "sha256.h"

/* Turn hexadecimal into bytes; the caller knows that it fits. Returns their number. */
static size_t unhex(uint8_t *bytes, const char *hex)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned value = 0;
        for (size_t j = 0; j < 2; j++) {
            unsigned digit = (unsigned char)hex[2 * i + j];
            value = value * 16 + (digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }
        bytes[i] = (uint8_t)value;
    }
    return size;
}

static int equals_hex(const uint8_t hash32[32], const char *hex)
{
    uint8_t want[32];
    return unhex(want, hex) == sizeof want && memcmp(hash32, want, sizeof want) == 0;
}

/* Compare with a hash as block explorers print it, reversed. */
static int equals_display(const uint8_t hash32[32], const char *hex)
{
    uint8_t reversed[32];
    for (int i = 0; i < 32; i++)
        reversed[i] = hash32[31 - i];
    return equals_hex(reversed, hex);
}

/* NIST, "Examples with Intermediate Values: SHA256", and FIPS 180-2, appendix B. */
static int nist_messages(void)
{
    static const char *const messages[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        uint8_t hash32[32];
        sha256(hash32, (const uint8_t *)messages[i][0], strlen(messages[i][0]));
        if (!equals_hex(hash32, messages[i][1]))
            return 0;
    }
    return 1;
}

/* FIPS 180-2, B.3, in pieces that never end where a block does. */
static int million_a(void)
{
    uint8_t piece[1000], hash32[32];
    struct sha256_stream stream;
    memset(piece, 'a', sizeof piece);
    sha256_start(&stream);
    for (int i = 0; i < 1000; i++)
        sha256_update(&stream, piece, sizeof piece);
    sha256_finish(hash32, &stream);
    return equals_hex(hash32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Blocks 0, 170 and 125552 of the main chain: header, block hash. */
static const char *const HEADERS[][2] = {
    {"01000000000000000000000000000000000000000000000000000000000000000000"
     "00003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
     "29ab5f49ffff001d1dac2b7c",
     "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"},
    {"0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a0000"
     "0000ff104ccb05421ab93e63f8c3ce5c2c2e9dbb37de2764b3a3175c8166562cac7d"
     "51b96a49ffff001d283e9e70",
     "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"},
    {"0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a30800000000"
     "0000e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122b"
     "c7f5d74df2b9441a42a14695",
     "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d"},
};

static int block_headers(void)
{
    for (size_t i = 0; i < sizeof HEADERS / sizeof HEADERS[0]; i++) {
        uint8_t header80[80], hash32[32];
        unhex(header80, HEADERS[i][0]);
        header_hash(hash32, header80);
        if (!equals_display(hash32, HEADERS[i][1]))
            return 0;
        sha256d(hash32, header80, sizeof header80);
        if (!equals_display(hash32, HEADERS[i][1]))
            return 0;
    }
    return 1;
}

/* Testnet3 block 898352 as a job: 4 branches, difficulty 1. */
struct worked_job {
    struct share_job job;
    uint8_t coinb1[64], coinb2[44], branch[4 * 32];
};

static void make_worked_job(struct worked_job *worked)
{
    struct share_job *job = &worked->job;
    memset(job, 0, sizeof *job);
    job->coinb1 = worked->coinb1;
    job->coinb2 = worked->coinb2;
    job->branch = worked->branch;
    job->coinb1_size = unhex(worked->coinb1,
                             "0100000001000000000000000000000000000000000000000000000000000000"
                             "0000000000ffffffff230330b50d00fe06758d57fe4583050009");
    job->coinb2_size = unhex(worked->coinb2,
                             "00ffffffff01da87a112000000001976a91489893957178347e87e2bb3850e6f"
                             "6937de7372b288ac00000000");
    job->branch_count =
        unhex(worked->branch, "e70e07f42ce0dfd0828521da145da22404f874743d29e0aed35078c31d2767e4"
                              "744599f9ab1219666b137e329a4c8337c226c2ce4c04f152887d0ce9a8ab095d"
                              "e8a872780fb199839d760f5227da95716c87806f78e97e7b614b35e1175ae715"
                              "599a958f857e1e0f1e5f78e8fe4f1a0ad793da5bc57b2bdba820b3372719ee5b") /
        32;
    unhex(job->prevhash, "ecfeaa661502b9c6d8702db594f534ffa72ccc8a872237394e00000000000000");
    job->nbits = 0x1d00ffff;
    share_job_init(job);
}

/* The share that found that block. */
static int worked_share(void)
{
    struct worked_job worked;
    uint8_t extranonce[18], easy[32], hard[32], hash32[32], header80[80], want80[80];
    make_worked_job(&worked);
    unhex(extranonce, "63676d696e65723432080400000000000000");
    unhex(want80, "00000020ecfeaa661502b9c6d8702db594f534ffa72ccc8a872237394e000000000000009999"
                  "521bacc63267b6f03ca248113ebf9c08d2405add98649810bfdb848ac36f06758d57ffff001d"
                  "0351b75d");

    /* Targets: difficulty 1, which the share meets, and the hash less one. */
    memset(easy, 0, sizeof easy);
    easy[26] = easy[27] = 0xff;
    memcpy(worked.job.network_target, easy, sizeof easy);
    header_hash(hard, want80);
    hard[0]--;

    int both = share_check(hash32, header80, &worked.job, extranonce, sizeof extranonce, NULL, 0,
                           0x20000000, 0x578d7506, 0x5db75103, easy);
    int network = share_check(hash32, header80, &worked.job, extranonce, sizeof extranonce, NULL,
                              0, 0x20000000, 0x578d7506, 0x5db75103, hard);
    return both == (SHARE_MEETS_TARGET | SHARE_MEETS_NETWORK) &&
           network == SHARE_MEETS_NETWORK && memcmp(header80, want80, sizeof want80) == 0 &&
           equals_display(hash32,
                          "00000000c269ad542ed9ac684cb5fa6df340d5feee0e040590225c7332b98fca");
}

/* The same share as a line through the gate: accepted at difficulty 1, then a duplicate, and on a
 * job of difficulty 2 too easy. Its extranonce begins with what is here the end of coinb1. */
static int gated_share(void)
{
    static const char lines[] =
        "{\"id\":7,\"method\":\"mining.submit\",\"params\":"
        "[\"w\",\"00000001\",\"0400000000000000\",\"578d7506\",\"5db75103\"]}\n"
        "{\"params\": [\"w\", \"00000001\", \"0400000000000000\", \"578D7506\", \"5DB75103\"], "
        "\"id\": \"8\", \"method\": \"mining.submit\"}\n"
        "{\"id\":9,\"method\":\"mining.submit\",\"params\":"
        "[\"w\",\"00000002\",\"0400000000000000\",\"578d7507\",\"5db75103\",null]}\n"
        "{\"id\":10,\"method\":\"mining.submit\",\"params\":[]}\n";
    static const char want_reply[] =
        "{\"id\":7,\"result\":true,\"error\":null}\n"
        "{\"id\":\"8\",\"result\":null,\"error\":[22,\"Duplicate share\",null]}\n"
        "{\"id\":9,\"result\":null,\"error\":[23,\"Low difficulty share\",null]}\n";
    uint8_t want_leaf[LEAF_SIZE], reply[5 * GATE_REPLY_MAX], slots[2 * SLOT_SIZE] = {0};
    unhex(want_leaf, "01010500000300000600000000000000401f0000000000000d00000000000000"
                     "0200000003000000010000000000000000000020"
                     "06758d570351b75d0408c220723432080400000000000000"
                     "00000000");

    struct worked_job worked;
    make_worked_job(&worked);
    worked.job.coinb1_size += unhex(worked.coinb1 + worked.job.coinb1_size, "63676d696e65");
    share_job_init(&worked.job);
    struct gate_work work = {.share = &worked.job,
                             .job_index = 13,
                             .curtime = 0x578d7506,
                             .max_ntime = 0xffffffff,
                             .version = 0x20000000};
    struct gate_job jobs[4] = {{0}};
    struct log_tail tail = {slots, 2, 0, 0, 6, 5};
    uint64_t keys[4 * SEEN_PARTS] = {0};
    struct seen_shares seen;
    seen_begin(&seen, keys, 4);
    struct gate gate = {
        .jobs = jobs, .job_room = 4, .log = &tail, .seen = &seen, .share_limit = 1};
    struct gate_worker worker = {.account_id = 2, .worker_id = 3, .name_size = 1, .name = "w"};
    struct gate_session session = {.tier = 3,
                                   .extranonce1_size = 4,
                                   .extranonce2_size = 8,
                                   .extranonce1 = {0x72, 0x34, 0x32, 0x08},
                                   .workers = &worker,
                                   .worker_count = 1};
    for (uint32_t number = 1; number <= 2; number++) {
        gate_add_job(&gate, number, 0x578d7506, &work);
        gate_remember(&session, number, number);
    }

    struct gate_result did = {.reply = reply, .reply_room = sizeof reply};
    int status = gate_take(&did, &gate, &session, (const uint8_t *)lines, 0,
                           (uint32_t)sizeof lines - 1, 8000);
    return status == GATE_LINE && did.lines == 3 && did.accepted == 1 &&
           did.reply_size == sizeof want_reply - 1 &&
           memcmp(reply, want_reply, sizeof want_reply - 1) == 0 &&
           tail.used == 1 && tail.next_edge_seq == 7 && slots_whole(slots, 2, 0) == 1 &&
           memcmp(slots + SLOT_SIZE - LEAF_SIZE, want_leaf, LEAF_SIZE) == 0;
}

/* Genesis' nonce lies within the range, at its last place, and just outside. */
static int genesis_nonce(void)
{
    const uint32_t want = 0x7c2bac1d;
    uint32_t nonce = 0;
    uint8_t header80[80], target32[32] = {[26] = 0xff, [27] = 0xff};
    unhex(header80, HEADERS[0][0]);
    return nonce_search(&nonce, header80, target32, want - 10000, 20000) && nonce == want &&
           nonce_search(&nonce, header80, target32, want - 12, 13) && nonce == want &&
           !nonce_search(&nonce, header80, target32, want - 12, 12);
}

/* Any hash meets this target: the first nonce wins, and 2^32 is the end. */
static int easy_nonces(void)
{
    uint32_t nonce = 0;
    uint8_t header80[80] = {0}, all[32], none[32] = {0};
    memset(all, 0xff, sizeof all);
    return nonce_search(&nonce, header80, all, 5, 1) && nonce == 5 &&
           nonce_search(&nonce, header80, all, UINT32_MAX, UINT64_MAX) && nonce == UINT32_MAX &&
           !nonce_search(&nonce, header80, all, 5, 0) &&
           !nonce_search(&nonce, header80, none, UINT32_MAX - 20, (uint64_t)1 << 32);
}

#define NOISE_SIZE (21 * 80)

/* Numerical Recipes' linear generator: the same bytes on every machine. */
static void make_noise(uint8_t noise[NOISE_SIZE])
{
    uint32_t seed = 20140101;
    for (int i = 0; i < NOISE_SIZE; i++) {
        seed = seed * 1664525 + 1013904223;
        noise[i] = (uint8_t)(seed >> 24);
    }
}

/* Hash noise in every way there is and hash the results into one digest. */
static void digest_of_everything(uint8_t digest32[32])
{
    uint8_t noise[NOISE_SIZE], hash32[32], hashes[21 * 32];
    struct sha256_stream all;
    make_noise(noise);
    sha256_start(&all);

    for (size_t size = 0; size < 300; size++) {
        sha256(hash32, noise + size % 7, size);
        sha256_update(&all, hash32, sizeof hash32);
        sha256d(hash32, noise + size % 5, size);
        sha256_update(&all, hash32, sizeof hash32);
    }
    for (size_t count = 0; count <= 21; count++) {
        sha256d_headers(hashes, noise, count);
        sha256_update(&all, hashes, 32 * count);
        merkle_fold(hash32, noise, noise + 32, count);
        sha256_update(&all, hash32, sizeof hash32);
    }
    midstate(hash32, noise + 3);
    sha256_update(&all, hash32, sizeof hash32);
    sha256_finish(digest32, &all);
}

static int same_as_portable(void)
{
    uint8_t digest32[32], want32[32];
    const struct sha256_impl *chosen = sha256_chosen;
    digest_of_everything(digest32);
    sha256_chosen = &sha256_portable;
    digest_of_everything(want32);
    sha256_chosen = chosen;
    return memcmp(digest32, want32, sizeof digest32) == 0;
}

static int batch_equals_singles(void)
{
    uint8_t noise[NOISE_SIZE], hashes[21 * 32], hash32[32];
    make_noise(noise);
    sha256d_headers(hashes, noise, 21);
    for (size_t i = 0; i < 21; i++) {
        header_hash(hash32, noise + 80 * i);
        if (memcmp(hash32, hashes + 32 * i, sizeof hash32) != 0)
            return 0;
    }
    return 1;
}

static const char *first_failure(void)
{
    static const struct {
        const char *name;
        int (*passes)(void);
    } checks[] = {
        {"NIST messages", nist_messages},
        {"a million a", million_a},
        {"block headers", block_headers},
        {"worked share", worked_share},
        {"gated share", gated_share},
        {"genesis' nonce", genesis_nonce},
        {"easy nonces", easy_nonces},
        {"same as portable", same_as_portable},
        {"batch equals singles", batch_equals_singles},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (!checks[i].passes())
            return checks[i].name;
    return NULL;
}

const char *hashing_selftest(int index)
{
    const struct sha256_impl *before = sha256_chosen;
    if (!sha256_select(index))
        return "selection";
    const char *failure = first_failure();
    sha256_chosen = before;
    return failure;
}
