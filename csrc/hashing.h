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

/* ---- The gate -------------------------------------------------------------
 *
 * One call judges every plain share in a piece of a connection's bytes, writes
 * what it accepts into the log and the answers into a buffer, and stops at the
 * first line that is not its business. Whoever calls owns and sizes all memory.
 */

#define GATE_MORE 0     /* no whole line is left */
#define GATE_LINE 1     /* the next line is the caller's: nothing of it was counted or written */
#define GATE_SEEN 2     /* the seen shares are another block's, or too many for one more */
#define GATE_BUDGET 3   /* the next line can't be paid for yet */
#define GATE_LOG_FULL 4 /* the segment has no room for the next share */
#define GATE_LIMIT 5    /* GATE_LINES lines are taken, or the replies fill their room */
#define GATE_WORKER 6   /* a good share of a worker without a number, of index worker_hint */

#define VERDICT_ACCEPTED 0
#define VERDICT_STALE 1
#define VERDICT_UNKNOWN_JOB 2
#define VERDICT_DUPLICATE 3
#define VERDICT_LOW_DIFFICULTY 4
#define VERDICT_BAD_TIME 5
#define VERDICT_BAD_VERSION 6
#define VERDICT_MALFORMED 7
#define VERDICT_UNAUTHORIZED 8
#define VERDICT_NOT_SUBSCRIBED 9
#define VERDICT_LIMITED 10
#define VERDICT_COUNT 11

#define GATE_LINES 64         /* taken by one call at most */
#define GATE_LINE_MAX 8192    /* bytes before the LF; what is longer is the caller's */
#define GATE_REPLY_MAX 192    /* no reply is longer */
#define GATE_RING_SIZE 64     /* jobs that a session remembers */
#define GATE_NAME_MAX 191     /* bytes of a worker's name */
#define GATE_EXTRANONCE_MAX 8 /* bytes of each half */

#define SEEN_PARTS 1024

/** A table of open addressing. 0 is an empty place; a key of 0 is kept as 1. */
struct seen_part {
    uint64_t *keys; /* room of them */
    uint32_t room;  /* a power of two, at least 4 */
    uint32_t count; /* at most three quarters of room: a search ends */
};

/** The shares of one block, whoever sent them: the first eight bytes of each hash. In many parts,
 *  so that never more than a small one has to be moved at once.
 */
struct seen_shares {
    struct seen_part parts[1024];
};

/** Begin with nothing seen.
 *  In: keys: SEEN_PARTS times room zeros.
 */
void seen_begin(struct seen_shares *seen, uint64_t *keys, uint32_t room);

/** Returns: 1 if the share was seen, 0 if not. */
int seen_holds(const struct seen_shares *seen, const uint8_t hash32[32]);

/** Returns: 1 if the share may be added, 0 if its part has to grow first. */
int seen_has_room(const struct seen_shares *seen, const uint8_t hash32[32]);

/** Remember a share.
 *  Returns: 1 remembered, now or before; 0 when its part has to grow first.
 */
int seen_add(struct seen_shares *seen, const uint8_t hash32[32]);

/** Remember what another table held.
 *  Returns: how many of the keys, from the first on; less than count when a part has to grow.
 */
size_t seen_add_keys(struct seen_shares *seen, const uint64_t *keys, size_t count);

/** Find a part that takes no more, or hardly any.
 *  Returns: the first one from `part` on; SEEN_PARTS if there is none.
 *  In: eighths: of a part's room, what it must still take; 0: one share.
 */
size_t seen_full_part(const struct seen_shares *seen, size_t part, uint32_t eighths);

/** Move a part into keys, which are room zeros, more than it had. */
void seen_grow(struct seen_shares *seen, size_t part, uint64_t *keys, uint32_t room);

/** What the shares of one template are judged by. Times in seconds, but for received_us. */
struct gate_work {
    const struct share_job *share;
    int64_t job_index;   /* log index of its JOB record; -1: not kept, its shares are the caller's */
    uint64_t generation; /* of the previous block */
    uint64_t received_us;
    uint32_t curtime; /* the node's clock at received_us */
    uint32_t mintime;
    uint32_t max_ntime; /* 0xffffffff: no limit */
    uint32_t version;
    uint32_t version_mask;
};

/** One refresh of a work, under the number that its id spells in hex. */
struct gate_job {
    const struct gate_work *work; /* NULL: an empty place */
    uint32_t number;
    uint32_t ntime;
};

struct gate_worker {
    uint32_t account_id;
    uint32_t worker_id; /* 0: not numbered yet, none of its shares was accepted */
    uint32_t rejected[11];
    uint8_t name_size;
    uint8_t name[191];
};

/** What all sessions share. */
struct gate {
    struct gate_job *jobs;  /* open addressing by number, see gate_add_job */
    uint64_t job_room;      /* a power of two */
    uint64_t job_count;     /* less than job_room: a search ends */
    uint64_t generation;    /* shares of any other are stale */
    struct log_tail *log;   /* NULL: the same as a full segment */
    struct seen_shares *seen;
    uint64_t seen_generation; /* of what was seen */
    uint64_t share_limit;     /* of one session on one block; beyond it they are the caller's */
    uint32_t scale_shift;   /* a weight is a difficulty times 2^scale_shift; at most 48 */
    uint32_t junk_limit;    /* this share of low difficulty in a row is the caller's; 0: none */
    uint64_t line_cost_us;  /* what a line takes of the budget; 0: no limit */
    uint64_t line_burst_us; /* what the budget saves up; not below line_cost_us */
    uint64_t verdicts[11];
    uint64_t work_low; /* weights of all accepted shares, 128 bits */
    uint64_t work_high;
};

/** What the gate knows of one connection. All zeros, but for the wakes, is a good beginning. */
struct gate_session {
    uint64_t wake_us; /* gate_due names it from this time on */
    uint64_t wake_shares;
    uint64_t shares;
    uint8_t is_live;  /* the slot is in use */
    uint8_t is_open;  /* gets jobs */
    uint8_t is_plain; /* gets them as they are, with nothing of its own before them */
    uint8_t tier;
    uint8_t extranonce1_size; /* 0: not subscribed */
    uint8_t extranonce2_size;
    uint8_t extranonce1[8];
    uint32_t masks;  /* version bits it may roll */
    uint64_t weight; /* of the jobs it gets now */
    uint64_t paid_until_us;
    uint64_t last_line_us;
    uint64_t last_share_us;
    uint64_t work_low; /* weights of its accepted shares, 128 bits */
    uint64_t work_high;
    uint64_t rejected;
    uint32_t junk_run; /* shares of low difficulty since the last good one */
    uint32_t best;     /* two bytes, as in its record */
    const uint8_t *payee;
    size_t payee_size;
    struct gate_worker *workers;
    uint32_t worker_count;
    uint32_t worker_hint; /* who was found last */
    uint64_t block_shares;     /* accepted while that was the generation, see gate_count_share */
    uint64_t block_generation;
    uint32_t ring_next; /* place of the next job */
    uint32_t ring_count;
    uint32_t ring_numbers[64];
    uint64_t ring_weights[64];
};

/** What gate_take did. The caller sets the first two members. */
struct gate_result {
    uint8_t *reply; /* the answers, one line after the other */
    size_t reply_room;
    uint32_t reply_size;
    uint32_t consumed; /* where in data the first line not taken begins */
    uint32_t lines;    /* taken, and how many of them were accepted shares */
    uint32_t accepted;
};

/** Take lines while they are plain shares of this session.
 *  Returns: GATE_MORE to GATE_WORKER, why it stopped.
 *  Out:    result
 *  In/Out: gate, session, and what they point at
 *  In:     data:   the connection's bytes are data[start] to data[end - 1].
 *          now_us: Unix time.
 */
int gate_take(struct gate_result *result, struct gate *gate, struct gate_session *session,
              const uint8_t *data, uint32_t start, uint32_t end, uint64_t now_us);

/** Make a job known, or known anew.
 *  Returns: 1; 0 when one more would leave no place empty.
 */
int gate_add_job(struct gate *gate, uint32_t number, uint32_t ntime, const struct gate_work *work);

/** How long until a line can be paid for.
 *  Returns: microseconds; 0: now.
 */
uint64_t gate_line_wait(const struct gate *gate, const struct gate_session *session,
                        uint64_t now_us);

/** Pay for a line that the caller takes.
 *  Returns: 1 paid, 0 when it has to wait.
 */
int gate_pay_line(const struct gate *gate, struct gate_session *session, uint64_t now_us);

/** Count an accepted share of the present generation; it ends a run of junk.
 *  In: best: two bytes, as in its record.
 */
void gate_count_share(const struct gate *gate, struct gate_session *session, uint64_t weight,
                      uint32_t best, uint64_t now_us);

/** Returns: 1 if the session has had as many shares of the present generation as it may. */
int gate_is_full(const struct gate *gate, const struct gate_session *session);

/** Find a worker.
 *  Returns: its index, -1 if there is none of that name.
 */
int64_t gate_worker_index(const struct gate_session *session, const uint8_t *name,
                          size_t name_size);

/** Remember a job and what its shares are worth; it is the newest then. The oldest is forgotten. */
void gate_remember(struct gate_session *session, uint32_t number, uint64_t weight);

/** Returns: the weight that a job was sent with; 0 if it is not remembered. */
uint64_t gate_weight_of(const struct gate_session *session, uint32_t number);

/** Remember a job in every session that gets it as it is, at its own weight.
 *  Returns: how many live sessions that leaves.
 *  Out:    others: their indexes, room for count of them.
 *  In/Out: sessions
 *  In:     weight_limit: no share of this job may be worth more.
 */
size_t gate_push(uint32_t *others, struct gate_session *sessions, size_t count, uint32_t number,
                 uint64_t weight_limit);

/** Find the live sessions whose time has come, or whose shares have.
 *  Returns: how many.
 *  Out: indexes: room for count of them.
 */
size_t gate_due(uint32_t *indexes, const struct gate_session *sessions, size_t count,
                uint64_t now_us);

/* ---- Swarm ----------------------------------------------------------------
 *
 * Virtual rigs that load a pool: its bytes come in, submit lines go out, answers become tallies.
 * The caller reads the sockets, keeps every struct zeroed before its first use, and does what a
 * line other than a notify or the answer to a share asks for.
 */

#define SWARM_BUCKETS 896 /* 32 to a power of two, up to 2^32 microseconds */
#define SWARM_REFUSALS 32
#define SWARM_TIPS 256
#define SWARM_TEXT 96
#define SWARM_JOB_ID 64
#define SWARM_EXTRANONCE 32

/* In a rig's submit line these bytes stand for what differs from share to share. */
#define SWARM_PUT_ID 1
#define SWARM_PUT_JOB_ID 2
#define SWARM_PUT_EXTRANONCE2 3
#define SWARM_PUT_NTIME 4
#define SWARM_PUT_NONCE 5
#define SWARM_PUT_VERSION_BITS 6

/* What swarm_receive and swarm_resume return instead of a number of bytes. */
#define SWARM_LINE -1
#define SWARM_PARTIAL -2

/** Microseconds, counted to within 3 %: value v lies in bucket 32 * s + (v >> s), where s is the
 *  number of bits that v has beyond six, at least 0.
 */
struct swarm_histogram {
    uint64_t counts[896];
    uint64_t max_us;
};

/** One kind of refusal, known by its error as the pool wrote it. */
struct swarm_refusal {
    uint8_t text[96]; /* the start of it, if it is longer */
    uint32_t text_size;
    uint64_t count;
    uint64_t late; /* of shares sent before the rig knew of a clean_jobs */
};

/** A new previous block, as the rigs heard of it. */
struct swarm_tip {
    uint8_t prevhash[64]; /* hex, as on the wire */
    uint64_t first_ns;
    uint64_t last_ns;
    uint64_t rigs;
};

/** A share that waits for its answer. */
struct swarm_share {
    uint64_t due_ns;
    uint64_t number;
    uint32_t epoch; /* how many clean_jobs the rig had seen */
    uint32_t waits;
};

/** What holds from the next notify on. */
struct swarm_terms {
    uint8_t target[32]; /* little-endian */
    uint8_t extranonce1[32];
    uint32_t extranonce1_size;
    uint32_t extranonce2_size; /* 0: not subscribed; at most 16 */
};

/** One virtual rig. */
struct swarm_rig {
    /* The caller's. */
    const uint8_t *line; /* its submit line, with SWARM_PUT_ where values go */
    size_t line_size;
    struct swarm_share *in_flight; /* NULL: answers are not waited for */
    uint32_t in_flight_size;       /* a power of two */
    uint32_t window;               /* shares in flight, if receiving sends the next; else 0 */
    uint8_t *space;                /* for the job's coinbase and branch; NULL if blind */
    size_t space_size;
    uint32_t first_id;   /* of its first submit; smaller ids are the caller's */
    uint32_t same_id;    /* 1: every submit has first_id, answers come in order */
    uint32_t ntime_roll; /* how many seconds ntime follows the clock */
    uint32_t version_mask;
    uint32_t is_ready; /* shares are taken */
    struct swarm_terms next;

    /* The core's. */
    struct swarm_terms terms; /* of the job */
    struct share_job job;
    uint8_t prevhash[64];
    uint8_t job_id[64];
    uint32_t job_id_size; /* 0: no job */
    uint32_t version;
    uint32_t ntime;
    uint32_t epoch;
    uint64_t job_ns;
    uint64_t extranonce2; /* counts up; from 0 with each new prevhash */
    uint64_t sent;
    uint64_t oldest; /* the first number that may still wait */
    uint32_t waiting;
    uint32_t early_refusal; /* the kind refused last, and how often since the last clean_jobs */
    uint64_t early_count;
    uint64_t early_ns;
};

/** What all rigs share. */
struct swarm {
    /* The caller's. */
    struct swarm_rig *rigs;
    uint32_t rig_count;
    uint32_t is_open;   /* shares are sent */
    uint32_t is_timed;  /* latencies are counted */
    const uint8_t *got; /* where the caller puts what a socket gave */
    uint8_t *out;       /* lines to send */
    size_t out_room;

    /* The core's. */
    size_t got_size;
    size_t got_used;
    size_t line_at; /* of the line that is the caller's, without its end */
    size_t line_size;
    size_t out_size;
    uint64_t submitted; /* by rigs whose answers are waited for */
    uint64_t untracked; /* by the others */
    uint64_t accepted;
    uint64_t unsent;  /* due, but the rig was not ready or had too many in flight */
    uint64_t unfound; /* no nonce met the target */
    uint64_t lost;    /* in flight when the connection went */
    uint64_t second;  /* the one that recent is about */
    uint64_t tip_end; /* the second after the last one with a tip */
    struct swarm_histogram recent; /* of `second`; it may still get a tip */
    struct swarm_histogram calm;
    struct swarm_histogram tip;  /* answered in a second with a tip, or due before it was over */
    struct swarm_histogram lag; /* from when a share was due to when it was made */
    uint32_t refusal_count;
    struct swarm_refusal refusals[32]; /* the last one takes what finds no room */
    uint64_t tip_count;
    struct swarm_tip tips[256]; /* the last ones: tip n is at n % SWARM_TIPS */
};

/** Take what the pool sent to a rig; append to out what the rig submits because of it.
 *  Returns: how many bytes of out are to be sent, and all of got was used;
 *           SWARM_LINE: a line is the caller's, at line_at; go on with swarm_resume;
 *           SWARM_PARTIAL: what got holds from got_used on is no whole line, out is to be sent.
 *  In:  index:  the rig's, below rig_count.
 *       size:   bytes in got; 0 only lets the rig fill its window.
 *       now_ns: any clock that never goes back.
 */
int swarm_receive(struct swarm *swarm, uint32_t index, size_t size, uint64_t now_ns);

/** Go on after SWARM_LINE. Returns: as swarm_receive. */
int swarm_resume(struct swarm *swarm, uint32_t index, uint64_t now_ns);

/** Make one share that was due at due_ns.
 *  Returns: how many bytes of out are to be sent; 0 if there was no share to make.
 */
int swarm_submit(struct swarm *swarm, uint32_t index, uint64_t due_ns, uint64_t now_ns);

/** The connection is gone: no job, and what was in flight is lost. */
void swarm_disconnect(struct swarm *swarm, uint32_t index);

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
