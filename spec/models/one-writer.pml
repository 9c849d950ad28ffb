/* One lane, one store, two writers that crash: to send is to sign, and nothing is signed twice.
 *
 * Models: 13.1 (compare-and-swap on the size, in one store), 13.2 (commit, mark, sign, send; a crash between
 * any two), 13.4 (its first two rows), 5.9 (one signature a batch), 5.10 (no two heads that no single log
 * can have), 7.2 (durable before anything leaves), 13.10 (committed leaves are signed as they stand).
 *
 * Two engines of one party write one lane: by mistake, or because the first is taken for dead. Each keeps
 * its own tree in memory and signs over that. A crash takes the memory, never the store or the mark.
 *
 * Proved:
 *   - no two signed heads disagree on any leaf below both their sizes (the assertion in `sign`);
 *   - what people were told is durable stands in the lane and has left, and everything committed has been signed and
 *     sent when both have come to rest (the assertions in `AtRest`);
 *   - a mark is never ahead of the store: a crash is not taken for a restore.
 * Assumed: a commit is atomic and durable; so is a mark; leaves of one writing are unlike all others (their
 *   salts are). That restored stores are seen is the matter of restore.pml.
 * Taken away with -D: NO_CAS, SIGN_BEFORE_COMMIT, NO_SIGNING_AFTER_CRASH, TOLD_BEFORE_COMMIT.
 */
#ifndef ENTRIES
#define ENTRIES 4
#endif
#define WRITTEN (ENTRIES + 2)           /* leaves ever written, with those that lose against the other writer */
#ifndef CRASHES
#define CRASHES 2
#endif

byte leaf[ENTRIES];                     /* the store: leaf i of the lane, 0 for none */
byte size;                              /* the store: how many */
byte mark;                              /* outside the store: the size it names */

byte shown[ENTRIES];                   /* for the proof: leaf i as the heads signed so far have it */
byte left_here;                         /* for the proof: the largest head that was sent */
bool told[WRITTEN + 1];             /* for the proof: leaves that people were told are durable */
byte fresh;                             /* no two leaves are alike */
byte crashes;
byte resting;

#define CRASH  if :: skip :: crashes < CRASHES -> crashes++; goto start fi

inline sign(upto) {
    d_step {
        i = 0;
        do
        :: i < upto ->
            assert(shown[i] == 0 || shown[i] == tree[i]);
            shown[i] = tree[i];
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline send(upto) {
    d_step { if :: upto > left_here -> left_here = upto :: else fi }
}

inline write_mark(upto) {
    /* It only grows: a writer that would take it back is late, and begins anew from the store. */
    d_step { if :: upto > mark -> mark = upto :: else fi }
}

inline tell() {
    d_step {
        i = known;
        do :: i < to -> told[tree[i]] = true; i++ :: else -> break od;
        i = 0
    }
}

proctype Writer() {
    byte tree[ENTRIES];                 /* its memory: what it believes the lane to be */
    byte known, to, i;
start:
    skip;
    d_step {                            /* 13.4: what a start finds */
        to = 0; known = size; i = 0;
        do :: i < ENTRIES -> tree[i] = leaf[i]; i++ :: else -> break od;
        i = 0
    };
    assert(mark <= size);
#ifndef NO_SIGNING_AFTER_CRASH
    write_mark(known);
    CRASH;
    sign(known);
    CRASH;
    send(known);
#endif
    do
    :: d_step {                         /* a batch of one or two entries, so far in memory alone */
           known < ENTRIES && fresh < WRITTEN ->
           to = known + 1; fresh++; tree[known] = fresh
       };
        if
        :: d_step { to < ENTRIES && fresh < WRITTEN -> fresh++; tree[to] = fresh; to++ }
        :: skip
        fi;
#ifdef TOLD_BEFORE_COMMIT
        tell();
        CRASH;
#endif
#ifdef SIGN_BEFORE_COMMIT
        sign(to);
        send(to);
        CRASH;
#endif
        atomic {                        /* commit: compare and swap */
            if
#ifndef NO_CAS
            :: size != known -> goto start
#endif
            :: else ->
                d_step {
                    i = known;
                    do :: i < to -> leaf[i] = tree[i]; i++ :: else -> break od;
                    i = 0; size = to
                }
            fi
        };
        CRASH;
        write_mark(to);
        CRASH;
        sign(to);
        CRASH;
        send(to);
#ifndef TOLD_BEFORE_COMMIT
        tell();
#endif
        known = to
    :: crashes < CRASHES -> crashes++; goto start
    :: break
    od;
    resting++
}

proctype AtRest() {
    byte i, j;
    bool found;
    resting == 2;
    assert(left_here == size);          /* all that was committed has been signed and sent */
    assert(mark == size);
    i = 1;
    do
    :: i <= WRITTEN ->
        d_step {
            found = !told[i]; j = 0;
            do :: j < size -> found = found || leaf[j] == i; j++ :: else -> break od;
            j = 0
        };
        assert(found);                  /* what people were told is durable is there */
        i++
    :: else -> break
    od
}

init { atomic { run Writer(); run Writer(); run AtRest() } }
