/*
 * One share, one call: coinbase, merkle root, header, double hash, compare.
 *
 * A share costs some 45 compressions, one after the other; to cross from
 * Python costs nearly as much again, so that happens once. The whole blocks of
 * coinb1 are hashed once per job. Variable time; public inputs only.
 */
#include "headers.h"

void merkle_fold(uint8_t root32[32], const uint8_t leaf32[32], const uint8_t *branch,
                 size_t branch_count)
{
    uint8_t root[32];
    memcpy(root, leaf32, sizeof root);
    sha256_chosen->fold(root, branch, branch_count);
    memcpy(root32, root, sizeof root);
}

void share_job_init(struct share_job *job)
{
    memcpy(job->coinb1_state, SHA256_IV, sizeof job->coinb1_state);
    sha256_chosen->compress(job->coinb1_state, job->coinb1, job->coinb1_size / BLOCK_SIZE);
}

/* The coinbase's txid, internal order, from where share_job_init stopped. */
static void coinbase_hash(uint8_t hash32[32], const struct share_job *job,
                          const uint8_t *extranonce, size_t extranonce_size,
                          const uint8_t *payee, size_t payee_size)
{
    struct sha256_stream stream;
    size_t done = job->coinb1_size - job->coinb1_size % BLOCK_SIZE;
    memcpy(stream.state, job->coinb1_state, sizeof stream.state);
    stream.size = done;

    sha256_update(&stream, job->coinb1 + done, job->coinb1_size - done);
    sha256_update(&stream, extranonce, extranonce_size);
    sha256_update(&stream, job->coinb2, job->coinb2_size);
    sha256_update(&stream, payee, payee_size);
    sha256_update(&stream, job->coinb2_end, job->coinb2_end_size);
    sha256_finish_double(hash32, &stream);
}

int share_check(uint8_t hash32[32], uint8_t header80[80], const struct share_job *job,
                const uint8_t *extranonce, size_t extranonce_size, const uint8_t *payee,
                size_t payee_size, uint32_t version, uint32_t ntime, uint32_t nonce,
                const uint8_t share_target[32])
{
    store_le32(header80, version);
    memcpy(header80 + 4, job->prevhash, 32);
    coinbase_hash(header80 + 36, job, extranonce, extranonce_size, payee, payee_size);
    merkle_fold(header80 + 36, header80 + 36, job->branch, job->branch_count);
    store_le32(header80 + 68, ntime);
    store_le32(header80 + 72, job->nbits);
    store_le32(header80 + 76, nonce);

    header_hash(hash32, header80);
    return (meets(hash32, share_target) ? SHARE_MEETS_TARGET : 0) |
           (meets(hash32, job->network_target) ? SHARE_MEETS_NETWORK : 0);
}
