/* Restart is not restore: the mark, and what a restored station does.
 *
 * Models: 13.3 to 13.6 (mark against store; successor generations), 13.8 (the peer gives back what the backup
 * lost), 13.10, 13.11 (shown a generation of its own that it does not know), 4.2 to 4.4 (a generation is a counter
 * and a random nonce, ordered by both), 4.14 with 13.9 (only the newest generation known is acknowledged).
 *
 * One station and one peer. The station's two lanes move together (4.2), so one lane stands for both. It falls
 * between any two steps. Its store is copied at moments of its own choosing; while it is down any copy may be put in
 * its place, also twice the same one, and its mark may be lost. What was on its way may then be lost or still come.
 *
 * Proved:
 *   - never a fork within a generation (the assertion in `sign`);
 *   - when all is at rest the station has back every entry of its own that its peer holds, of every generation;
 *   - and the line goes on: the generation that the station writes is the newest that the peer knows, and the peer
 *     holds, and so acknowledges, all of it. no run circles for ever (pan -l).
 * Assumed: commit and mark are each atomic and durable; two nonces differ; the peer is honest (what it shows carries
 *   the station's own signature) and is not restored itself; the mark never goes back (13.3 forbids it: see
 *   MARK_IN_BACKUP); no copy is made between a commit and its mark (see COPY_BEFORE_MARK).
 * Taken away with -D: NO_MARK, MARK_AFTER_SEND, NO_NONCE, NO_SHOWN, NO_RECOVERY, MARK_IN_BACKUP, COPY_BEFORE_MARK.
 */
#ifndef FALLS
#define FALLS 2                         /* how often the station stops in the middle; each time restored or not */
#endif
#ifndef SAID
#define SAID 2                          /* entries said by people */
#endif
#ifndef GENERATIONS
#define GENERATIONS 4                   /* enough for two falls; for three: -DFALLS=3 -DGENERATIONS=7 */
#endif
#define LEAVES 3
#define NONE 255

typedef Lane { byte size; byte leaf[LEAVES] };
typedef Store { bool known[GENERATIONS]; bool came_back[GENERATIONS]; Lane lane[GENERATIONS] };

Store store, first_copy, second_copy;
byte copies;
bool marked;                            /* the mark: is there one, of which generation, naming what size */
byte mark_generation, mark_size;
byte copied_generation, copied_size;    /* the mark as a forbidden copy has it */

byte counter[GENERATIONS], nonce[GENERATIONS];
byte generations = 1;                   /* so many were ever opened; number 0 is generation zero */
byte current;                           /* the one the station writes */

Lane shown[GENERATIONS];                /* for the proof: what all signed heads of a generation say together */
byte on_way[GENERATIONS];               /* the largest head of a generation that was sent */
byte holds[GENERATIONS];                /* so many entries of it the peer holds */
byte fresh, said, falls;

#define ABOVE(g, h) (counter[g] > counter[h] || (counter[g] == counter[h] && nonce[g] > nonce[h]))
#define MARK_WRITTEN (marked && mark_generation == current && mark_size == store.lane[current].size)

inline copy_store(to, from) {
    i = 0;
    do
    :: i < GENERATIONS ->
        to.known[i] = from.known[i]; to.came_back[i] = from.came_back[i]; to.lane[i].size = from.lane[i].size; j = 0;
        do :: j < LEAVES -> to.lane[i].leaf[j] = from.lane[i].leaf[j]; j++ :: else -> break od;
        i++
    :: else -> break
    od;
    i = 0; j = 0
}

inline append(g) { fresh++; store.lane[g].leaf[store.lane[g].size] = fresh; store.lane[g].size++ }

inline write_mark() { d_step { marked = true; mark_generation = current; mark_size = store.lane[current].size } }

inline sign(g) {                        /* a head over all leaves below its size, as the store has them; and send it */
    d_step {
        i = 0;
        do
        :: i < store.lane[g].size ->
            assert(shown[g].leaf[i] == 0 || shown[g].leaf[i] == store.lane[g].leaf[i]);
            shown[g].leaf[i] = store.lane[g].leaf[i];
            i++
        :: else -> break
        od;
        i = 0;
        if :: store.lane[g].size > on_way[g] -> on_way[g] = store.lane[g].size :: else fi
    }
}

inline judge() {                        /* 13.4: `above` stays NONE if the station may go on in `newest` */
    newest = 0; i = 1; above = NONE;
    do
    :: i < generations -> if :: store.known[i] && ABOVE(i, newest) -> newest = i :: else fi; i++
    :: else -> break
    od;
#ifndef NO_MARK
    if
    :: !marked -> above = counter[newest]
    :: marked && store.known[mark_generation] && store.lane[mark_generation].size >= mark_size &&
       (newest == mark_generation ||
        (counter[newest] == counter[mark_generation] + 1 && store.lane[newest].size == 1 && !store.came_back[newest])) ->
        skip
    :: else ->
        above = (counter[mark_generation] > counter[newest] -> counter[mark_generation] : counter[newest])
    fi;
#endif
    i = 0
}

inline succeed() {                      /* 13.5: above every own counter in store, mark and anything shown; a commit */
    i = 0;
    do
    :: i < generations -> if :: store.known[i] && counter[i] > above -> above = counter[i] :: else fi; i++
    :: else -> break
    od;
    above++; current = generations; i = 0;
#ifdef NO_NONCE
    do                                  /* one counter is then one generation */
    :: i < generations -> if :: counter[i] == above -> current = i; store.lane[i].size = 0 :: else fi; i++
    :: else -> break
    od;
#endif
    if
    :: current == generations -> assert(generations < GENERATIONS); generations++
#ifdef NO_NONCE
    :: else
#endif
    fi;
    counter[current] = above; nonce[current] = drawn; store.known[current] = true;
    append(current);
    i = 0; above = 0; drawn = 0; newest = 0
}

/* Random bits: any order among the generations of one counter, no two alike. */
inline draw() { if :: drawn = GENERATIONS + generations :: drawn = GENERATIONS - generations fi }

#define FALL  if :: skip :: falls < FALLS -> falls++; goto down fi
#if GENERATIONS > 4
#define ANY(is_so) (is_so(0) || is_so(1) || is_so(2) || is_so(3) || is_so(4) || is_so(5) || is_so(6))
#else
#define ANY(is_so) (is_so(0) || is_so(1) || is_so(2) || is_so(3))
#endif
#define LACKS(n) (holds[n] > store.lane[n].size)
#define UNSENT(n) (n != current && store.known[n] && on_way[n] < store.lane[n].size)

active proctype Station() {
    byte i, j, g, newest, above, drawn;
    d_step { store.known[0] = true; append(0) };
speak:                                  /* a commit is done: mark, sign, send */
    FALL;
#ifndef MARK_AFTER_SEND
    write_mark();
    FALL;
#endif
    sign(current);
#ifdef MARK_AFTER_SEND
    FALL;
    write_mark();
#endif
end:
    do
    :: d_step { said < SAID && store.lane[current].size < LEAVES -> said++; append(current) };
        goto speak
#ifndef NO_RECOVERY
    :: atomic {                         /* 13.8: its own entries come back, under its own signature; a commit */
            ANY(LACKS) ->
            draw();
            d_step {
                g = 0; above = NONE;
                do :: !LACKS(g) -> g++ :: else -> break od;
#ifndef NO_SHOWN
                if                      /* 13.11 */
                :: (!store.known[g] && counter[g] >= counter[current]) || g == current -> above = counter[g]
                :: else
                fi;
#endif
                store.known[g] = true; store.came_back[g] = true; i = store.lane[g].size;
                do :: i < holds[g] -> store.lane[g].leaf[i] = shown[g].leaf[i]; i++ :: else -> break od;
                store.lane[g].size = holds[g]; i = 0; g = 0;
                if :: above != NONE -> succeed() :: else -> above = 0; drawn = 0 fi
            }
       };
       goto speak
#endif
    :: d_step { ANY(UNSENT) -> g = 0; do :: !UNSENT(g) -> g++ :: else -> break od };
        sign(g);                        /* 13.10: committed leaves of an ended generation are signed as they stand */
        g = 0
    :: falls < FALLS -> falls++; goto down
    od;
down:
    if                                  /* another store in its place; more than one, one after the other, is the last */
    :: copies > 0 ->
        d_step {
            copy_store(store, first_copy);
#ifdef MARK_IN_BACKUP
            mark_generation = copied_generation; mark_size = copied_size
#endif
        }
    :: copies > 1 -> d_step { copy_store(store, second_copy) }
    :: skip
    fi;
    if :: marked = false :: skip fi;
    if
    :: d_step {                         /* what was on its way is lost */
           i = 0;
           do :: i < GENERATIONS -> on_way[i] = holds[i]; i++ :: else -> break od;
           i = 0
       }
    :: skip
    fi;
    atomic {
        draw();
        d_step {
            judge();
            if :: above != NONE -> succeed() :: else -> current = newest; above = 0; newest = 0; drawn = 0 fi
        }
    };
    goto speak
}

active proctype Copier() {
    byte i, j;
end:
    do
    :: atomic {
#ifndef COPY_BEFORE_MARK
            MARK_WRITTEN &&
#endif
            copies < 2 ->
            d_step {
                if
                :: copies == 0 -> copy_store(first_copy, store); copied_generation = mark_generation; copied_size = mark_size
                :: else -> copy_store(second_copy, store)
                fi;
                copies++
            }
       }
    od
}

#define TAKES(n) :: on_way[n] > holds[n] -> holds[n] = on_way[n]

active proctype Peer() {                /* it takes what comes, in the order of the lane, and keeps it */
end:
    do
    TAKES(0) TAKES(1) TAKES(2) TAKES(3)
#if GENERATIONS > 4
    TAKES(4) TAKES(5) TAKES(6)
#endif
    od
}

active proctype AtRest() {
    byte i, newest;
    timeout;
    d_step {
        i = 0;
        do
        :: i < GENERATIONS ->
            assert(holds[i] <= store.lane[i].size);         /* all came back that the peer held */
            if :: holds[i] > 0 && ABOVE(i, newest) -> newest = i :: else fi;
            i++
        :: else -> break
        od;
        assert(newest == current);                          /* the peer knows which generation is meant */
        assert(holds[current] == store.lane[current].size)  /* and holds all of it */
    };
end:
    false
}
