/*
 * What the gate knows of its sessions and jobs between two reads: who works on what, what lines may
 * cost, and who wants to be looked at. gate.c judges by it.
 */
#include "sessions.h"

#include <string.h>

/* ---- Jobs ----------------------------------------------------------------- */

/* The low byte of a number counts refreshes, mostly 0 and 1: the bits above it are mixed in. */
struct gate_job *gate_find_job(const struct gate *gate, uint32_t number)
{
    uint64_t at = (number ^ number >> 8) & (gate->job_room - 1);
    while (gate->jobs[at].work && gate->jobs[at].number != number)
        at = (at + 1) & (gate->job_room - 1);
    return gate->jobs + at;
}

int gate_add_job(struct gate *gate, uint32_t number, uint32_t ntime, const struct gate_work *work)
{
    struct gate_job *job = gate_find_job(gate, number);
    if (!job->work) {
        if (gate->job_count + 1 >= gate->job_room)
            return 0;
        gate->job_count++;
    }
    *job = (struct gate_job){work, number, ntime};
    return 1;
}

/* ---- The ring of a session ------------------------------------------------ */

/* Age 0 is the newest. */
static uint32_t ring_place(const struct gate_session *session, uint32_t age)
{
    return (session->ring_next - 1 - age) % GATE_RING_SIZE;
}

static uint32_t ring_age(const struct gate_session *session, uint32_t number)
{
    uint32_t age = 0;
    while (age < session->ring_count && session->ring_numbers[ring_place(session, age)] != number)
        age++;
    return age;
}

uint64_t gate_weight_of(const struct gate_session *session, uint32_t number)
{
    uint32_t age = ring_age(session, number);
    return age < session->ring_count ? session->ring_weights[ring_place(session, age)] : 0;
}

void gate_remember(struct gate_session *session, uint32_t number, uint64_t weight)
{
    uint32_t age = ring_age(session, number);
    if (age == session->ring_count) {
        session->ring_next = (session->ring_next + 1) % GATE_RING_SIZE;
        session->ring_count += session->ring_count < GATE_RING_SIZE;
        age = 0;
    }
    for (; age > 0; age--) { /* known: what came after it moves up */
        uint32_t older = ring_place(session, age), newer = ring_place(session, age - 1);
        session->ring_numbers[older] = session->ring_numbers[newer];
        session->ring_weights[older] = session->ring_weights[newer];
    }
    session->ring_numbers[ring_place(session, 0)] = number;
    session->ring_weights[ring_place(session, 0)] = weight;
}

/* ---- All sessions --------------------------------------------------------- */

static int gets_job(const struct gate_session *session, uint32_t number, uint64_t weight_limit)
{
    return session->is_open && session->is_plain && session->weight > 0 &&
           session->weight <= weight_limit &&
           !(session->ring_count && session->ring_numbers[ring_place(session, 0)] == number);
}

size_t gate_push(uint32_t *others, struct gate_session *sessions, size_t count, uint32_t number,
                 uint64_t weight_limit)
{
    size_t other_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!sessions[i].is_live)
            continue;
        if (gets_job(sessions + i, number, weight_limit))
            gate_remember(sessions + i, number, sessions[i].weight);
        else
            others[other_count++] = (uint32_t)i;
    }
    return other_count;
}

size_t gate_due(uint32_t *indexes, const struct gate_session *sessions, size_t count,
                uint64_t now_us)
{
    size_t due_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct gate_session *session = sessions + i;
        if (session->is_live &&
            (now_us >= session->wake_us || session->shares >= session->wake_shares))
            indexes[due_count++] = (uint32_t)i;
    }
    return due_count;
}

/* ---- What a session has done ---------------------------------------------- */

void gate_add_work(uint64_t *low, uint64_t *high, uint64_t weight)
{
    *low += weight;
    *high += *low < weight;
}

void gate_count_share(const struct gate *gate, struct gate_session *session, uint64_t weight,
                      uint32_t best, uint64_t now_us)
{
    if (session->block_generation != gate->generation) {
        session->block_generation = gate->generation;
        session->block_shares = 0;
    }
    session->block_shares++;
    session->shares++;
    gate_add_work(&session->work_low, &session->work_high, weight);
    if (best > session->best)
        session->best = best;
    session->last_share_us = now_us;
    session->junk_run = 0;
}

int gate_is_full(const struct gate *gate, const struct gate_session *session)
{
    return session->block_generation == gate->generation &&
           session->block_shares >= gate->share_limit;
}

int64_t gate_worker_index(const struct gate_session *session, const uint8_t *name,
                          size_t name_size)
{
    for (uint32_t step = 0; step < session->worker_count; step++) {
        /* Most connections have one worker, and lines of one come in a row. */
        uint32_t index = (session->worker_hint + step) % session->worker_count;
        const struct gate_worker *worker = session->workers + index;
        if (worker->name_size == name_size && memcmp(worker->name, name, name_size) == 0)
            return index;
    }
    return -1;
}

/* ---- The line budget ------------------------------------------------------ */

/* A token bucket as one time, the one up to which lines are paid for (GCRA). More than the burst
 * ahead it can only be where the clock was set back, and that must not cost what was saved. */
static uint64_t paid_from(const struct gate *gate, const struct gate_session *session,
                          uint64_t now_us)
{
    int is_ahead = session->paid_until_us > now_us &&
                   session->paid_until_us - now_us <= gate->line_burst_us;
    return is_ahead ? session->paid_until_us : now_us;
}

uint64_t gate_line_wait(const struct gate *gate, const struct gate_session *session,
                        uint64_t now_us)
{
    if (!gate->line_cost_us)
        return 0;
    uint64_t saved = gate->line_burst_us - (paid_from(gate, session, now_us) - now_us);
    return saved >= gate->line_cost_us ? 0 : gate->line_cost_us - saved;
}

int gate_pay_line(const struct gate *gate, struct gate_session *session, uint64_t now_us)
{
    if (gate_line_wait(gate, session, now_us))
        return 0;
    if (gate->line_cost_us)
        session->paid_until_us = paid_from(gate, session, now_us) + gate->line_cost_us;
    return 1;
}
