#!/usr/bin/env node
/*
Check an exported Openline lane, without Openline. Plain JavaScript, one file, for Node 18 or newer and for a browser.

usage: node openline_verify.mjs [--vkey VKEY] LANE_DIR [LANE_DIR ...]

LANE_DIR is one folder `lanes/<lane>.<generation>/` of an exported line (or the whole export: then each of its lanes).
VKEY is the owner's Ed25519 key as a C2SP vkey line that you have from elsewhere; without it the key comes from the
folder itself, and the lane is shown to be consistent but not whose it is.

Checked: the C2SP signed note `checkpoint` (and `milestone`) and its Ed25519 signature; every leaf, its place in its
line, lane and generation; every hash tile; the RFC 9162 root; in `opened.jsonl` every field against its commitment.
NOT checked: ML-DSA-44 signatures, what acknowledgements say of other lanes, the manifest, who holds the key.

Exit status: 0 all checked and right; 1 something is wrong, missing or added; 2 it could not be checked (usage, no such
folder, unreadable).

In a browser page (no server is asked for anything):

    <input type="file" webkitdirectory id="lane"><pre id="report"></pre>
    <script type="module">
      import { verifyFiles } from "./openline_verify.mjs"
      lane.onchange = async () => { report.textContent = (await verifyFiles(lane.files)).text }
    </script>

Written from the specification (spec/04, 05, 14; C2SP signed-note, tlog-checkpoint, tlog-tiles; RFC 8032, RFC 9162). It
shares no code with Openline nor with the Python verifier beside it: an error in one should not be repeated in another.
*/

/** What was checked is not right. The message names the place, never content. */
export class Wrong extends Error {}

const utf8 = new TextEncoder()
const bytesOf = (text) => utf8.encode(text)
const hexOf = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")
const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16))

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function equal(left, right) {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}

// --- SHA-256 (FIPS 180-4), by hand: WebCrypto's is asynchronous, and a lane needs it once or twice for every leaf -----

// First 32 bits of the fractional parts of square or cube roots, computed with integers so that no table can be mistyped.
function fractionBits(prime, root) {
  const target = BigInt(prime) << BigInt(32 * root)
  let low = 0n
  let high = 1n << 40n
  while (high - low > 1n) {
    const middle = (low + high) >> 1n
    if (middle ** BigInt(root) <= target) low = middle
    else high = middle
  }
  return Number(low & 0xffffffffn)
}

const PRIMES = []
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n)
const START = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fractionBits(prime, 2))
const ROUND = Uint32Array.from(PRIMES, (prime) => fractionBits(prime, 3))
const WORDS = new Uint32Array(64)
const turn = (word, by) => (word >>> by) | (word << (32 - by))

export function sha256(message) {
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) * 64)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29))
  view.setUint32(padded.length - 4, (message.length << 3) >>> 0)
  const state = START.slice()
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 16; t++) WORDS[t] = view.getUint32(block + 4 * t)
    for (let t = 16; t < 64; t++) {
      const x = WORDS[t - 15]
      const y = WORDS[t - 2]
      const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)
      const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10)
      WORDS[t] = WORDS[t - 16] + s0 + WORDS[t - 7] + s1
    }
    let [a, b, c, d, e, f, g, h] = state
    for (let t = 0; t < 64; t++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[t] + WORDS[t]) | 0
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + one) | 0
      d = c
      c = b
      b = a
      a = (one + two) | 0
    }
    ;[a, b, c, d, e, f, g, h].forEach((word, n) => (state[n] += word))
  }
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, n) => digest.setUint32(4 * n, word))
  return new Uint8Array(digest.buffer)
}

/** HMAC (RFC 2104) for keys of at most 64 bytes. */
function hmac(key, message) {
  const block = new Uint8Array(64)
  block.set(key)
  const inner = sha256(joined(block.map((b) => b ^ 0x36), message))
  return sha256(joined(block.map((b) => b ^ 0x5c), inner))
}

async function sha512(message) {
  return new Uint8Array(await globalThis.crypto.subtle.digest("SHA-512", message))
}

// --- Ed25519 verification (RFC 8032, 5.1) in BigInt: slow, and secret-free, so timing does not matter ----------------

const P = 2n ** 255n - 19n
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
const mod = (n) => ((n % P) + P) % P

function power(base, exponent) {
  let result = 1n
  for (let square = mod(base); exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}

const D = mod(-121665n * power(121666n, P - 2n))
const ROOT_OF_MINUS_1 = power(2n, (P - 1n) / 4n)
const littleEndian = (bytes) => BigInt("0x" + (hexOf(Uint8Array.from(bytes).reverse()) || "0"))

/** Sum of two points (X : Y : Z), the complete projective formulas of the twisted Edwards curve with a = -1. */
function sum([x1, y1, z1], [x2, y2, z2]) {
  const a = (z1 * z2) % P
  const b = (a * a) % P
  const c = (x1 * x2) % P
  const d = (y1 * y2) % P
  const e = (D * ((c * d) % P)) % P
  const f = mod(b - e)
  const g = mod(b + e)
  const x = (a * f * mod((x1 + y1) * (x2 + y2) - c - d)) % P
  return [mod(x), mod(a * g * (d + c)), mod(f * g)]
}

function times(scalar, point) {
  let total = [0n, 1n, 1n]
  for (; scalar > 0n; scalar >>= 1n) {
    if (scalar & 1n) total = sum(total, point)
    point = sum(point, point)
  }
  return total
}

/** [x, y, 1] of a canonical encoding, or null. */
function pointOf(bytes) {
  const number = littleEndian(bytes)
  const sign = number >> 255n
  const y = number & (2n ** 255n - 1n)
  if (y >= P) return null
  const u = mod(y * y - 1n)
  const v = mod(D * y * y + 1n)
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n))
  if (mod(v * x * x) !== u) x = mod(x * ROOT_OF_MINUS_1)
  if (mod(v * x * x) !== u || (x === 0n && sign)) return null
  return [(x & 1n) === sign ? x : P - x, y, 1n]
}

function smallOrder(point) {
  const [x, y, z] = times(8n, point)
  return x === 0n && y === z
}

const BASE = pointOf(fromHex("58" + "66".repeat(31)))

export async function ed25519(key, signature, message) {
  if (key.length !== 32 || signature.length !== 64) return false
  const a = pointOf(key)
  const r = pointOf(signature.slice(0, 32))
  const s = littleEndian(signature.slice(32))
  if (!a || !r || s >= ORDER || smallOrder(a) || smallOrder(r)) return false
  const k = littleEndian(await sha512(joined(signature.slice(0, 32), key, message))) % ORDER
  const [x, y, z] = sum(times(s, BASE), times(k, [P - a[0], a[1], 1n]))
  return mod(x - r[0] * z) === 0n && mod(y - r[1] * z) === 0n
}

// --- notes -----------------------------------------------------------------------------------------------------------

const ORIGIN = /^([0-9a-f]{64})\/(0|[1-9][0-9]?)\.(?:0|([1-9][0-9]{0,9})-([0-9a-f]{16}))$/

function unbase64(text, where) {
  let found
  try {
    found = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    throw new Wrong(`${where}: not base64`)
  }
  let binary = ""
  for (const byte of found) binary += String.fromCharCode(byte)
  if (btoa(binary) !== text) throw new Wrong(`${where}: not the one base64 form`)
  return found
}

function keyId(name, kind, key) {
  return sha256(joined(bytesOf(name + "\n"), [kind], key)).slice(0, 4)
}

function textOf(bytes, where) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Wrong(`${where}: not UTF-8`)
  }
}

function readVkey(line) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(line)
  if (!match) throw new Wrong("vkey: not a verifier key")
  const material = unbase64(match[3], "vkey")
  const kind = material[0]
  const key = material.slice(1)
  if (!key.length || hexOf(keyId(match[1], kind, key)) !== match[2]) throw new Wrong("vkey: the key id is not the key's")
  return { name: match[1], kind, key }
}

function readKeys(bytes, expected) {
  const lines = textOf(bytes, "vkey").split("\n")
  if (lines.pop() !== "" || lines.length < 1 || lines.length > 2) throw new Wrong("vkey: one or two lines are expected")
  const [first, second] = lines.map(readVkey)
  if (first.kind !== 1 || first.key.length !== 32) throw new Wrong("vkey: the first key is not Ed25519")
  if (second && (second.name !== first.name || second.kind !== 6 || second.key.length !== 1312))
    throw new Wrong("vkey: the second key is not the owner's ML-DSA-44 key")
  if (expected !== undefined) {
    const wanted = readVkey(expected)
    if (wanted.name !== first.name || wanted.kind !== 1 || !equal(wanted.key, first.key))
      throw new Wrong("vkey: not the key that was expected")
  }
  return { name: first.name, key: first.key, second: second?.key }
}

async function readNote(bytes, where, { name, key, second }) {
  const whole = textOf(bytes, where)
  const split = whole.lastIndexOf("\n\n")
  const text = whole.slice(0, split + 1)
  const lines = text.split("\n")
  // eslint-disable-next-line no-control-regex
  if (split < 0 || !whole.endsWith("\n") || whole.length <= split + 2 || lines.length !== 4 || /[\x00-\x09\x0b-\x1f]/.test(whole))
    throw new Wrong(`${where}: not a signed checkpoint`)
  if (lines[0] !== name) throw new Wrong(`${where}: the origin is not the name of the key`)
  if (!/^(0|[1-9][0-9]{0,14})$/.test(lines[1])) throw new Wrong(`${where}: not a size`)
  const root = unbase64(lines[2], where)
  if (root.length !== 32) throw new Wrong(`${where}: not a root`)
  const seen = new Set()
  const signers = {
    classical: `${name} ${hexOf(keyId(name, 1, key))}`,
    quantum: second && `${name} ${hexOf(keyId(name, 6, second))}`,
  }
  for (const line of whole.slice(split + 2, -1).split("\n")) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/.exec(line)
    if (!match) throw new Wrong(`${where}: not a signature line`)
    const signature = unbase64(match[2], where)
    const signer = `${match[1]} ${hexOf(signature.slice(0, 4))}`
    if (signature.length < 5 || seen.has(signer)) throw new Wrong(`${where}: an empty signature, or two by one key`)
    seen.add(signer)
    if (signer === signers.classical && !(await ed25519(key, signature.slice(4), bytesOf(text))))
      throw new Wrong(`${where}: the Ed25519 signature is wrong`)
    if (signer === signers.quantum && (signature.length !== 4 + 8 + 2420 || signature.slice(4, 12).some((b) => b)))
      throw new Wrong(`${where}: the ML-DSA-44 signature has another form`)
  }
  if (!seen.has(signers.classical)) throw new Wrong(`${where}: no Ed25519 signature by its owner`)
  return { size: Number(lines[1]), root, both: seen.has(signers.quantum) }
}

// --- leaves and trees ------------------------------------------------------------------------------------------------

/** A deterministic CBOR head, for numbers below 2^53. */
function head(major, number) {
  if (number < 24) return [(major << 5) | number]
  for (const [extra, size] of [[24, 1], [25, 2], [26, 4], [27, 8]])
    if (number < 256 ** size)
      return [(major << 5) | extra, ...fromHex(number.toString(16).padStart(2 * size, "0"))]
  throw new Wrong("a number beyond 64 bits")
}

/** What every leaf of that lane begins with, up to its index. */
function leafStart(origin) {
  const match = ORIGIN.exec(origin)
  const [, line, lane, counter, nonce] = match ?? []
  if (!match || Number(lane) > 31 || Number(counter ?? 0) >= 2 ** 32)
    throw new Wrong("the origin is not that of an Openline lane")
  return joined(
    [0x8a, 0x01, 0x58, 0x20], fromHex(line), head(0, Number(lane)), head(0, Number(counter ?? 0)),
    [0x48], nonce ? fromHex(nonce) : new Uint8Array(8),
  )
}

function commitmentsOf(leaf, start, index) {
  const before = joined(start, head(0, index))
  if (leaf.length !== before.length + 4 * 34 || !equal(leaf.subarray(0, before.length), before))
    throw new Wrong(`entry ${index}: the leaf does not belong there`)
  return [0, 1, 2, 3].map((n) => {
    const at = before.length + 34 * n
    if (leaf[at] !== 0x58 || leaf[at + 1] !== 0x20) throw new Wrong(`entry ${index}: the leaf is not of the one form`)
    return leaf.subarray(at + 2, at + 34)
  })
}

/** RFC 9162, 2.1.1: split at the largest power of two below the count. */
function rootOf(hashes, from = 0, to = hashes.length) {
  if (to - from === 0) return sha256(new Uint8Array())
  if (to - from === 1) return hashes[from]
  let split = 1
  while (split * 2 < to - from) split *= 2
  return sha256(joined([1], rootOf(hashes, from, from + split), rootOf(hashes, from + split, to)))
}

function tilePath(level, number, width) {
  const groups = []
  for (let rest = number; ; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, "0"))
    if (rest < 1000) break
  }
  const last = groups.pop()
  const path = [...groups.map((group) => "x" + group), last].join("/")
  return `tile/${level}/${path}${width < 256 ? `.p/${width}` : ""}`
}

function* tiles(count) {
  for (let number = 0; number * 256 < count; number++) yield [number, Math.min(256, count - 256 * number)]
}

async function readLeaves(read, size) {
  const leaves = []
  for (const [number, width] of tiles(size)) {
    const name = tilePath("entries", number, width)
    const data = await read(name)
    let at = 0
    for (let n = 0; n < width; n++) {
      const end = at + 2 + data[at] * 256 + data[at + 1]
      if (!(end <= data.length && end >= at + 3)) throw new Wrong(`${name}: cut short`)
      leaves.push(data.subarray(at + 2, end))
      at = end
    }
    if (at !== data.length) throw new Wrong(`${name}: more than its entries`)
  }
  return leaves
}

async function checkTiles(read, hashes) {
  for (let level = 0; hashes.length; level++) {
    const above = []
    for (const [number, width] of tiles(hashes.length)) {
      const name = tilePath(level, number, width)
      const tile = hashes.slice(256 * number, 256 * number + width)
      if (!equal(await read(name), joined(...tile))) throw new Wrong(`${name}: not the hashes of the leaves`)
      if (width === 256) above.push(rootOf(tile))
    }
    hashes = above
  }
}

const INDEX = '"i":(0|[1-9][0-9]{0,14})'
const FIELD = '"([A-Za-z0-9+/=]*)"'
const OPENED = new RegExp(`^\\{"a":${FIELD},"b":${FIELD},${INDEX},"k":${FIELD},"s":${FIELD},"t":${FIELD}\\}$`)
const CLOSED = new RegExp(`^\\{${INDEX}\\}$`)

/** Compare every opened field with its commitment; returns how many entries are open. */
function checkOpened(bytes, commitments) {
  const lines = textOf(bytes, "opened.jsonl").split("\n")
  if (lines.pop() !== "" || lines.length !== commitments.length) throw new Wrong("opened.jsonl: not one line for each entry")
  let opened = 0
  lines.forEach((line, index) => {
    const where = `opened.jsonl: entry ${index}`
    const open = OPENED.exec(line)
    if (Number((open?.[3] ?? CLOSED.exec(line)?.[1]) ?? -1) !== index)
      throw new Wrong(`opened.jsonl: line ${index + 1} is not that of entry ${index}`)
    if (!open) return
    const [ack, body, kind, secret, time] = [1, 2, 4, 5, 6].map((n) => unbase64(open[n], where))
    if (secret.length !== 32) throw new Wrong(`${where}: the secret has another length`)
    ;[kind, time, ack, body].forEach((field, n) => {
      const salt = hmac(secret, joined(bytesOf("openline/1 salt"), [n + 1, 1]))
      const committed = sha256(joined(bytesOf("openline/1 field"), [n + 1], salt, field))
      if (!equal(committed, commitments[index][n])) throw new Wrong(`${where}: field ${n + 1} is not the one committed to`)
    })
    opened++
  })
  return opened
}

// --- a lane ----------------------------------------------------------------------------------------------------------

/**
 * Check one lane. `files` maps a path within its folder to an async function that gives the bytes.
 * Returns the lines of the report; throws Wrong.
 */
export async function verifyLane(files, expected) {
  const known = new Set()
  const read = async (name) => {
    known.add(name)
    if (!files.has(name)) throw new Wrong(`${name}: missing`)
    return files.get(name)()
  }
  const owner = readKeys(await read("vkey"), expected)
  const start = leafStart(owner.name)
  const { size, root, both } = await readNote(await read("checkpoint"), "checkpoint", owner)
  const leaves = await readLeaves(read, size)
  const commitments = leaves.map((leaf, index) => commitmentsOf(leaf, start, index))
  const hashes = leaves.map((leaf) => sha256(joined([0], leaf)))
  await checkTiles(read, hashes)
  if (!equal(rootOf(hashes), root)) throw new Wrong("checkpoint: the root is not that of the leaves")
  let covered = both ? size : 0
  if (files.has("milestone")) {
    const earlier = await readNote(await read("milestone"), "milestone", owner)
    covered = earlier.size
    if (!earlier.both || covered > size || !equal(rootOf(hashes, 0, covered), earlier.root))
      throw new Wrong("milestone: not an earlier head of this lane with both signatures")
  }
  const opened = files.has("opened.jsonl")
    ? `${checkOpened(await read("opened.jsonl"), commitments)} of ${size}`
    : "none (no opened.jsonl)"
  for (const name of files.keys()) if (!known.has(name)) throw new Wrong(`${JSON.stringify(name)}: does not belong to the lane`)
  return [
    `lane    ${owner.name}`,
    `head    ${size} entries, root ${hexOf(root)}`,
    `checked Ed25519 signature, ${size} leaves, all tiles; opened entries checked: ${opened}`,
    `NOT checked: ML-DSA-44 (${covered ? `present, covers ${covered} entries` : "absent"}); acknowledgements; manifest`,
    "key     " + (expected === undefined ? "from the folder itself: identity NOT proved" : "the one given"),
  ]
}

/** In a browser: check the lane (or every lane of the export) in a FileList of <input webkitdirectory>. */
export async function verifyFiles(list, expected) {
  const lanes = new Map()
  for (const file of list) {
    const path = file.webkitRelativePath.split("/").slice(1)
    const inside = path[0] === "lanes" ? path.slice(2) : path
    const lane = path[0] === "lanes" ? path[1] : "lane"
    if (path[0] !== "lanes" && [...list].some((other) => other.webkitRelativePath.split("/")[1] === "lanes")) continue
    if (!lanes.has(lane)) lanes.set(lane, new Map())
    lanes.get(lane).set(inside.join("/"), async () => new Uint8Array(await file.arrayBuffer()))
  }
  const report = []
  let right = lanes.size > 0
  for (const [lane, files] of lanes) {
    try {
      report.push(`RIGHT ${lane}`, ...(await verifyLane(files, expected)))
    } catch (problem) {
      if (!(problem instanceof Wrong)) throw problem
      report.push(`WRONG ${lane}: ${problem.message}`)
      right = false
    }
  }
  return { right, text: report.join("\n") }
}

// --- Node ------------------------------------------------------------------------------------------------------------

async function commandLine(words) {
  const fs = await import("node:fs")
  const path = await import("node:path")
  globalThis.crypto ??= (await import("node:crypto")).webcrypto
  const asked = words.length === 1 && ["-h", "--help"].includes(words[0])
  let expected
  if (words[0] === "--vkey" && words.length > 1) [, expected] = words.splice(0, 2)
  if (!words.length || words.some((word) => word.startsWith("-"))) {
    const source = fs.readFileSync(new URL(import.meta.url), "utf8")
    const usage = source.slice(source.indexOf("/*") + 2, source.indexOf("*/")).trim()
    ;(asked ? console.log : console.error)(usage)
    return asked ? 0 : 2
  }
  const isFolder = (place) => fs.statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false
  const below = (place, inside = "") =>
    fs.readdirSync(path.join(place, inside), { withFileTypes: true }).flatMap((entry) => {
      const name = inside ? `${inside}/${entry.name}` : entry.name
      return entry.isDirectory() ? below(place, name) : [name]
    })
  const bytesOf = (file, name) => {
    const found = fs.lstatSync(file)
    if (!found.isFile()) throw new Wrong(`${name}: missing, or not a regular file`)
    if (found.size > 1 << 30) throw new Wrong(`${name}: larger than it may be`)
    return fs.readFileSync(file)
  }
  let status = 0
  for (const word of words) {
    const lanes = path.join(word, "lanes")
    const found = isFolder(lanes) ? fs.readdirSync(lanes).sort().map((name) => path.join(lanes, name)).filter(isFolder) : []
    for (const place of found.length ? found : [word]) {
      try {
        if (!isFolder(place)) throw Object.assign(new Error("no such folder"), { code: "no such folder" })
        const files = new Map(
          below(place).map((name) => [name, async () => new Uint8Array(bytesOf(path.join(place, name), name))]),
        )
        const report = await verifyLane(files, expected)
        if (found.length && !report[0].endsWith(`/${path.basename(place)}`)) throw new Wrong("vkey: the folder has the name of another lane")
        console.log([`RIGHT ${place}`, ...report].join("\n"))
      } catch (problem) {
        if (problem instanceof Wrong) {
          console.log(`WRONG ${place}: ${problem.message}`)
          status = Math.max(status, 1)
        } else if (problem.code) {
          console.error(`CANNOT CHECK ${place}: ${problem.code}`)
          status = 2
        } else throw problem
      }
    }
  }
  return status
}

if (globalThis.process?.versions?.node && process.argv[1]) {
  const { pathToFileURL } = await import("node:url")
  const { realpathSync } = await import("node:fs")
  if (import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) process.exitCode = await commandLine(process.argv.slice(2))
}
