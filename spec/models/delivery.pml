/* Delivery with acknowledgement, over two bearers that lose, repeat, reorder and stop.
 *
 * Models: 7.1 (only a signed acknowledgement ends delivery), 7.2 and 7.3 (it means durably held, in order), 7.6 (a
 * duplicate entry brings the acknowledgement again), 7.12 and 7.13 (entries above a gap wait, duplicates change
 * nothing), 9.6 (an envelope opens once), 9.8 (the peer tells what it opened), 9.15 and 9.17 (what was not opened is
 * repeated), 9.16 (after a restart what is unacknowledged is sealed anew), 9.20 (a bearer is believed about nothing);
 * and RESEAL_MS of section 12.
 *
 * A lane of some entries from one station to another. Each entry is sealed into an envelope of its own; sealing it
 * again makes another envelope. Both stations may crash any number of times: what stands in memory is gone. A bearer
 * takes everything at all times; what a dead or cut one takes is never carried, or comes years later.
 *
 * Proved:
 *   - an acknowledgement implies possession (the assertion in `hear_ack`);
 *   - every entry is shown once, in the order of the lane (the assertion in `Receiver`);
 *   - `delivered`: if some bearer comes back, all is delivered and known to be delivered. Which bearer it is, and what the
 *     other does, does not matter; nor that it goes on to lose every second thing (GOOD_MAY_LOSE).
 * Assumed: envelopes are authentic; crashes end; each process that can go on does so (weak fairness, pan -f).
 * Taken away with -D: NO_REPEAT, NO_SEALING_ANEW, NO_ACK_AGAIN, NO_ORDER, NO_DUPLICATE_CHECK, ACK_BEFORE_DURABLE,
 *   RECEIPT_OF_BEARER, ONE_BEARER_ONLY.
 */
#ifndef ENTRIES
#define ENTRIES 2
#endif
#define NONE 2

typedef Bearer {
    bool envelope[ENTRIES];             /* on its way: the envelope of entry i */
    bool opened[ENTRIES];               /* on its way: word that the envelope of entry i was opened */
    bool ack[ENTRIES];                  /* on its way: the acknowledgement of i + 1 entries */
}
Bearer bearer[2];
byte good = NONE;                       /* the bearer that is back for good */
#ifdef GOOD_MAY_LOSE
Bearer last_lost;                       /* there: the last of this sort was lost, so the next one is not */
#endif

/* The sender. Durable: said, acked. */
byte said, acked;
bool under_way[ENTRIES];                /* sealed, and not known to be opened */

/* The receiver. Durable: held, opened. */
byte held;
bool opened[ENTRIES];                   /* the envelope of entry i: its tag is consumed */
bool waits[ENTRIES];                    /* the entry came, and is not durable yet */
bool ack_due, word_due[ENTRIES];

#if ENTRIES > 2
#define ANY(is_so) (is_so(0) || is_so(1) || is_so(2))
#else
#define ANY(is_so) (is_so(0) || is_so(1))
#endif
#define LACKS_ENVELOPE(n) (acked <= n && n < said && !under_way[n] && MAY_SEAL(n))
#define MAY_REPEAT(n) (under_way[n] && FIRST(n) && \
    (!bearer[0].envelope[n] || (SECOND && !bearer[1].envelope[n])))
#define WORD_DUE(n) word_due[n]
#define WAITS(n) waits[n]
#define ON_WAY(n) (bearer[b].envelope[n] || bearer[b].opened[n] || bearer[b].ack[n])

#ifdef NO_SEALING_ANEW
bool sealed[ENTRIES];
#define MAY_SEAL(n) (!sealed[n])
#else
#define MAY_SEAL(n) true
#endif
#ifdef NO_REPEAT
bool sent[ENTRIES];
#define FIRST(n) (!sent[n])
#else
#define FIRST(n) true
#endif
#ifdef ONE_BEARER_ONLY
#define SECOND false
#else
#define SECOND true
#endif

inline seal(n) {                        /* a new envelope: what is on its way of the one before says nothing any more */
    under_way[n] = true; opened[n] = false; word_due[n] = false;
    bearer[0].envelope[n] = false; bearer[1].envelope[n] = false;
    bearer[0].opened[n] = false; bearer[1].opened[n] = false;
#ifdef NO_SEALING_ANEW
    sealed[n] = true;
#endif
#ifdef NO_REPEAT
    sent[n] = false;
#endif
}

inline hear_ack(n) {                    /* of n entries */
    assert(n <= held);
    if :: n > acked -> acked = n :: else fi;
    j = 0;
    do :: j < acked -> under_way[j] = false; j++ :: else -> break od;
    j = 0
}

inline hear_envelope(n) {
    if
    :: !opened[n] ->
        opened[n] = true;
        if
#ifndef NO_DUPLICATE_CHECK
        :: n < held ->
#ifndef NO_ACK_AGAIN
            ack_due = true
#else
            skip
#endif
#endif
        :: else -> waits[n] = true
        fi
    :: else
    fi;
    word_due[n] = true
}

active proctype Sender() {              /* people say things; it crashes */
    byte j;
end:
    do
    :: said < ENTRIES -> said++
    :: d_step {
            good == NONE -> j = 0;
            do :: j < ENTRIES -> under_way[j] = false; j++ :: else -> break od;
            j = 0
       }
    od
}

active proctype Sealing() {             /* what is neither under way nor acknowledged: for the first time, or anew */
    byte j;
end:
    do
    :: d_step {
            ANY(LACKS_ENVELOPE) -> j = 0;
            do
            :: j < ENTRIES -> if :: LACKS_ENVELOPE(j) -> seal(j) :: else fi; j++
            :: else -> break
            od;
            j = 0
       }
    od
}

active proctype Repeating() {           /* what is under way, over every bearer that is up */
    byte i, j;
end:
    do
    :: d_step {
            ANY(MAY_REPEAT) -> i = 0;
            do
            :: i < ENTRIES ->
                if
                :: MAY_REPEAT(i) ->
                    bearer[0].envelope[i] = true;
                    bearer[1].envelope[i] = SECOND;
#ifdef NO_REPEAT
                    sent[i] = true;
#endif
#ifdef RECEIPT_OF_BEARER
                    hear_ack(i + 1);
#endif
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0
       }
    od
}

active proctype Receiver() {            /* makes durable what is next in the lane, and shows it; it crashes */
    byte j;
end:
    do
    :: d_step {
#ifdef NO_ORDER
            ANY(WAITS) -> j = 0;
#else
            held < ENTRIES && waits[held] -> j = 0;
#endif
            do :: !waits[j] -> j++ :: else -> break od;
            assert(j == held);          /* shown once, and in the order of the lane */
            waits[j] = false; held++; ack_due = true; j = 0
       }
    :: d_step {
            good == NONE -> j = 0; ack_due = false;
            do :: j < ENTRIES -> waits[j] = false; word_due[j] = false; j++ :: else -> break od;
            j = 0
       }
    od
}

active proctype Answering() {           /* says which envelopes opened; and what is held, if that is new or was asked for */
    byte j, n;
end:
    do
    :: d_step {
            ANY(WORD_DUE) || ack_due -> n = held;
#ifdef ACK_BEFORE_DURABLE
            if :: held < ENTRIES && waits[held] -> n++; ack_due = true :: else fi;
#endif
            if
            :: ack_due -> bearer[0].ack[n - 1] = true; bearer[1].ack[n - 1] = true
            :: else
            fi;
            ack_due = false; n = 0; j = 0;
            do
            :: j < ENTRIES ->
                if :: word_due[j] -> bearer[0].opened[j] = true; bearer[1].opened[j] = true :: else fi;
                word_due[j] = false; j++
            :: else -> break
            od;
            j = 0
       }
    od
}

/* Before it is good, a bearer may carry any thing at any moment and keeps a copy: whatever is never carried is lost, what is
 * carried later is late, what is carried again is repeated. */
#define BAD(way, n, act) :: d_step { b != good && bearer[b].way[n] -> act }
#define BAD_ALL(n) \
    BAD(envelope, n, hear_envelope(n)) BAD(opened, n, under_way[n] = false) BAD(ack, n, hear_ack(n + 1))
/* Then it carries all there is; with GOOD_MAY_LOSE it may lose every second envelope and acknowledgement. */
#ifdef GOOD_MAY_LOSE
#define LOSE(way, n) :: bearer[b].way[n] && !last_lost.way[n] -> bearer[b].way[n] = false; last_lost.way[n] = true
#define KEPT(way, n) last_lost.way[n] = false;
#else
#define LOSE(way, n)
#define KEPT(way, n)
#endif
#define GOOD(way, n, act) \
    if \
    LOSE(way, n) \
    :: bearer[b].way[n] -> bearer[b].way[n] = false; KEPT(way, n) act \
    :: !bearer[b].way[n] \
    fi;
#define GOOD_ALL(n) \
    GOOD(envelope, n, hear_envelope(n)) \
    GOOD(ack, n, hear_ack(n + 1)) \
    if :: bearer[b].opened[n] -> bearer[b].opened[n] = false; under_way[n] = false :: else fi;

inline come_back(b) {                   /* what was on its way is lost, or not */
    good = b;
    if
    :: d_step {
           j = 0;
           do
           :: j < ENTRIES ->
               bearer[b].envelope[j] = false; bearer[b].opened[j] = false; bearer[b].ack[j] = false; j++
           :: else -> break
           od;
           j = 0
       }
    :: skip
    fi
}

proctype Carrier(byte b) {
    byte j;
end:
    do
    BAD_ALL(0) BAD_ALL(1)
#if ENTRIES > 2
    BAD_ALL(2)
#endif
    :: atomic {
            b == good && ANY(ON_WAY) ->
            GOOD_ALL(0) GOOD_ALL(1)
#if ENTRIES > 2
            GOOD_ALL(2)
#endif
            skip
       }
    od
}

active proctype Weather() {
    byte j;
end:
    if
    :: atomic { come_back(0) }
#ifndef GOOD_MAY_LOSE
    :: atomic { come_back(1) }          /* the two bearers are alike: one way round tells as much */
#endif
    :: false
    fi
}

init { atomic { run Carrier(0); run Carrier(1) } }

ltl delivered { [] ((good != NONE) -> <> (acked == ENTRIES)) }
