// Flip every bit of every file of a lane, in memory, and print those flips that the verifier does not find.
// Usage: node every_bit.mjs VERIFIER LANE_DIR [NAME_OF_FILE:FIRST_BYTE_LEFT_OUT ...]
import fs from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"

const [verifier, folder, ...left] = process.argv.slice(2)
const { Wrong, verifyLane } = await import(pathToFileURL(path.resolve(verifier)).href)
const names = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
const files = new Map(
  names.map((entry) => {
    const place = path.join(entry.parentPath ?? entry.path, entry.name)
    return [path.relative(folder, place), new Uint8Array(fs.readFileSync(place))]
  }),
)
const until = new Map(left.map((word) => word.split(":")))
let flips = 0
const missed = []
for (const [name, original] of files) {
  for (let bit = 0; bit < 8 * Number(until.get(name) ?? original.length); bit++) {
    const changed = original.slice()
    changed[bit >> 3] ^= 1 << (bit & 7)
    const all = new Map([...files].map(([other, bytes]) => [other, async () => (other === name ? changed : bytes)]))
    flips++
    try {
      await verifyLane(all)
      missed.push(`${name}:${bit}`)
    } catch (problem) {
      if (!(problem instanceof Wrong)) throw problem
    }
  }
}
console.log(JSON.stringify({ flips, missed }))
