// A line's number and livery: from the line's own id, so that they never change and are, as a rule, the same on both floors.

const NUMBERS = 99;
const PATTERNS = 4;

/** Line id -> {number: "04", pattern: 0 to 3, hue: 0 to 3}. Where two ids fall on one number, the line that was there first keeps it. */
export function appearance(lines) {
  const found = new Map();
  const numbers = new Set();
  const looks = new Set();
  for (const line of lines) {
    let number = parseInt(line.line.slice(0, 8), 16) % NUMBERS;
    while (numbers.has(number) && numbers.size < NUMBERS) number = (number + 1) % NUMBERS;
    numbers.add(number);
    let look = parseInt(line.line.slice(8, 16), 16) % PATTERNS;
    // Four lines differ by pattern and hue; beyond them the same patterns come again in other hues.
    for (let tries = 0; looks.has(look) && tries < PATTERNS * PATTERNS; tries += 1) {
      look = tries % PATTERNS === PATTERNS - 1 ? (look + PATTERNS + 1) % (PATTERNS * PATTERNS) : look - (look % PATTERNS) + ((look + 1) % PATTERNS);
    }
    looks.add(look);
    const pattern = look % PATTERNS;
    found.set(line.line, { number: String(number + 1).padStart(2, "0"), pattern, hue: (pattern + Math.floor(look / PATTERNS)) % PATTERNS });
  }
  return found;
}
