/*
 * The specification of baseload's C core: SHA-256, shares, the log's slots, the gate.
 *
 * The C compiler reads this file through common.h, and cffi reads it as it is;
 * so it holds prototypes, integer constants, structs and comments, with no
 * guard and no #include, and declaration and binding can't disagree.
 *
 * The caller allocates. Nothing here takes memory from the heap, opens a file,
 * reads a clock or knows a policy; the one global is the chosen back end.
 * Outputs come before inputs, a length after its array, sizes stand in names.
 * A hash is 32 bytes in internal order, as SHA-256 gives it; a target is a
 * 256-bit little-endian number, so that both compare without a reversal.
 *
 * Variable time; public inputs only.
 */

/* ---- Back ends ------------------------------------------------------------
 *
 * An index names one: 0 sha_ni, 1 armv8, 2 avx2, 3 portable, the order of
 * preference. All are listed on every machine; some are usable there.
 * Until somebody chooses, portable is chosen. Choose before there are threads.
 */

/** Name a back end.
 *  Returns: its name, or NULL when index is outside the list.
 */
const char *sha256_backend_name(int index);

/** Ask whether this CPU and operating system can run a back end.
 *  Returns: 1 usable, 0 not (or index outside the list).
 */
int sha256_backend_usable(int index);

/** Choose a back end, after a smoke test of its functions.
 *  Returns: 1 chosen; 0 if it is not usable or fails the smoke test, and then
 *           the earlier choice stands.
 */
int sha256_select(int index);

/** Choose the first back end, in order of preference, that sha256_select takes.
 *  Returns: its name; portable is always usable.
 */
const char *sha256_autodetect(void);

/** Returns: the name of the chosen back end. */
const char *sha256_backend(void);

/* ---- Hashes --------------------------------------------------------------- */

/** SHA-256 (FIPS 180-4).
 *  Out: hash32: 32 bytes.
 *  In:  data:   size bytes; may be NULL when size is 0.
 */
void sha256(uint8_t hash32[32], const uint8_t *data, size_t size);

/** SHA-256 of SHA-256, Bitcoin's hash of transactions and headers.
 *  Out: hash32: 32 bytes, internal order. May overlap data.
 *  In:  data:   size bytes; may be NULL when size is 0.
 */
void sha256d(uint8_t hash32[32], const uint8_t *data, size_t size);

/** Hash one block header.
 *  Out: hash32:   the block hash, internal order.
 *  In:  header80: serialized header, not aligned.
 */
void header_hash(uint8_t hash32[32], const uint8_t header80[80]);

/** Hash many block headers, eight at a time where the back end can.
 *  Out: hashes:  32 * count bytes; must not overlap headers.
 *  In:  headers: 80 * count bytes, one header after the other.
 */
void sha256d_headers(uint8_t *hashes, const uint8_t *headers, size_t count);

/** SHA-256's state after the first 64 bytes of a header: the part of the work
 *  that no nonce changes.
 *  Out: state32: eight words, each big-endian, as a digest would hold them.
 *  In:  first64: the first 64 bytes of a header.
 */
void midstate(uint8_t state32[32], const uint8_t first64[64]);

/** Climb from the leftmost leaf of a merkle tree to its root.
 *  Out: root32: merkle root, internal order. May be leaf32.
 *  In:  leaf32: hash of the coinbase, internal order.
 *       branch: 32 * branch_count bytes, bottom to top, internal order.
 */
void merkle_fold(uint8_t root32[32], const uint8_t leaf32[32], const uint8_t *branch,
                 size_t branch_count);

/* ---- Shares --------------------------------------------------------------- */

#define SHARE_MEETS_TARGET 1
#define SHARE_MEETS_NETWORK 2

/** What all shares of one job have in common.
 *
 *  coinbase = coinb1 | extranonce | coinb2 | payee | coinb2_end. The payee is the part
 *  that differs from rig to rig, an output script with its length; it may be empty.
 *
 *  The caller fills every member but the last, keeps what the pointers point
 *  at alive and unchanged, and calls share_job_init once.
 */
struct share_job {
    const uint8_t *coinb1; /* coinbase before the extranonce, without witness */
    size_t coinb1_size;
    const uint8_t *coinb2; /* coinbase after the extranonce, up to the payee */
    size_t coinb2_size;
    const uint8_t *coinb2_end; /* coinbase after the payee */
    size_t coinb2_end_size;
    const uint8_t *branch; /* 32 * branch_count bytes, as for merkle_fold */
    size_t branch_count;
    uint8_t prevhash[32];       /* internal order, as in the header */
    uint8_t network_target[32]; /* little-endian */
    uint32_t nbits;
    uint32_t coinb1_state[8]; /* SHA-256 after the whole 64-byte blocks of coinb1 */
};

/** Hash the part of the coinbase that no share changes.
 *  In/Out: job: gets coinb1_state.
 */
void share_job_init(struct share_job *job);

/** Check one share: coinbase, merkle root, header, double hash, compare.
 *  Returns: SHARE_MEETS_TARGET and SHARE_MEETS_NETWORK, or'ed; 0 for neither.
 *  Out: hash32:       the header's hash, internal order.
 *       header80:     the header, for the log or for a block.
 *  In:  job:          initialised by share_job_init.
 *       extranonce:   extranonce1 then extranonce2, extranonce_size bytes.
 *       payee:        payee_size bytes; may be NULL when payee_size is 0.
 *       version:      after version rolling: (job & ~mask) | (bits & mask).
 *       share_target: little-endian; met when hash <= target.
 */
int share_check(uint8_t hash32[32], uint8_t header80[80], const struct share_job *job,
                const uint8_t *extranonce, size_t extranonce_size, const uint8_t *payee,
                size_t payee_size, uint32_t version, uint32_t ntime, uint32_t nonce,
                const uint8_t share_target[32]);

/* ---- The log's slots ------------------------------------------------------ */

#define LEAF_SIZE 80
#define SLOT_SIZE 96

/** CRC-32C (RFC 3720, B.4), as it is stored: 0xe3069283 for the digits 1 to 9. */
uint32_t crc32c(const uint8_t *data, size_t size);

/** Where the next record goes: the slots of one segment, in memory that the caller mapped. */
struct log_tail {
    uint8_t *slots;         /* slot 0 of the segment */
    uint64_t room;          /* slots that the segment has */
    uint64_t used;          /* slots written; the rest is zeros */
    uint64_t first_index;   /* log index of slot 0 */
    uint64_t next_edge_seq; /* of the next share: how many the log has */
    uint32_t edge_id;       /* at most 65535 */
};

/** Write one slot; its checksum last, so that nobody takes half of it for whole.
 *  Out: slot96: u32 crc32c of the rest, u32 0, u64 index, leaf; little-endian.
 */
void slot_write(uint8_t slot96[96], uint64_t index, const uint8_t leaf80[80]);

/** Write a run of slots.
 *  Out: slots:  96 * count bytes.
 *  In:  leaves: 80 * count bytes.
 */
void slots_write(uint8_t *slots, uint64_t first_index, const uint8_t *leaves, size_t count);

/** Count the whole slots at the start of a run: right checksum, right index.
 *  Returns: how many; count when all are.
 *  In:  slots: 96 * count bytes, the first with first_index.
 */
size_t slots_whole(const uint8_t *slots, size_t count, uint64_t first_index);

/** Append a record. Does not look into it: next_edge_seq is the caller's affair.
 *  Returns: 1 written; 0 when the segment is full, and then nothing changed.
 */
int log_append(struct log_tail *tail, const uint8_t leaf80[80]);

/* ---- Fold ----------------------------------------------------------------- */

#define EDGE_LEVELS 64

/** The right edge of the log's tree (RFC 6962): enough to add leaves and to tell the root. */
struct merkle_edge {
    uint64_t size;       /* leaves */
    uint8_t nodes[2048]; /* at 32 * n, where bit n of size is set: the root of 2^n leaves */
};

/** Add a leaf.
 *  In/Out: edge.
 *  In:     leaf_hash32: SHA-256 of 0x00 and the leaf.
 */
void merkle_edge_push(struct merkle_edge *edge, const uint8_t leaf_hash32[32]);

/** Out: root32: the root of all leaves; SHA-256 of nothing where there is none. */
void merkle_edge_root(uint8_t root32[32], const struct merkle_edge *edge);

/** Shares of one worker, at one port, in one minute. */
struct share_sum {
    uint64_t minute; /* of recv_time_us: since 1970, UTC */
    uint32_t account_id;
    uint32_t worker_id;
    uint64_t shares;
    uint64_t work_low; /* sum of the weights, 128 bits */
    uint64_t work_high;
    uint64_t last_us; /* recv_time_us of the latest */
    uint32_t listen;  /* index of the [[listen]] table */
    uint32_t best;    /* the highest, as in the leaf */
};

/** The caller's tables: sums by the order of their first share, and where each one is. */
struct share_sums {
    struct share_sum *sums;
    uint32_t room; /* of sums; at most 2^30 */
    uint32_t used; /* the rest of sums may hold anything */
    uint32_t *places;
    uint64_t places_size; /* a power of two, at least twice the room; zeros where used is 0 */
};

/** Add whole slots to tree and sums, up to the first that holds no share.
 *  Returns: how many were added; fewer than count also where a share needs one more sum than
 *           there is room for.
 *  In/Out: edge: may be NULL, then there is no tree.
 *          sums.
 *  In:     slots: 96 * count bytes, the first being record number edge->size.
 */
size_t fold_slots(struct merkle_edge *edge, struct share_sums *sums, const uint8_t *slots,
                  size_t count);

/* ---- The gate ------------------------------------------------------------- */

/* ---- Swarm ---------------------------------------------------------------- */

/* ---- Nonce search --------------------------------------------------------- */

/** Find the first nonce, counting up from start, whose header meets a target.
 *  The search ends after count nonces or at 2^32, whichever comes first.
 *  Returns: 1 found, 0 none.
 *  Out: nonce:    the nonce; untouched when none is found.
 *  In:  header80: serialized header; its own nonce is ignored.
 *       target32: little-endian; any value, easy ones too.
 */
int nonce_search(uint32_t *nonce, const uint8_t header80[80], const uint8_t target32[32],
                 uint32_t start, uint64_t count);

/* ---- Self test ------------------------------------------------------------ */

/** Run published vectors through one back end and compare it with portable.
 *  The chosen back end is the same afterwards.
 *  Returns: NULL when all passed, else the name of the first check that failed.
 */
const char *hashing_selftest(int index);
