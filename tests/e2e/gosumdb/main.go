// Verifies an exported Openline lane with the Go checksum database's own code (golang.org/x/mod/sumdb: note and tlog),
// which knows nothing of Openline: so our notes, trees and tiles are what others mean by these words.
//
// usage: gosumdb LANE_DIR
//
// Exit status: 0 verified, 1 not, 2 usage. x/mod spells tiles tile/8/<level>/... and bundles tile/8/data/...; C2SP
// tlog-tiles drops the height and calls bundles entries. ML-DSA-44 signatures are of an unknown key to it and ignored.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// lane reads tiles from a folder; it implements tlog.TileReader.
type lane struct{ folder string }

func (l lane) Height() int { return height }

func (l lane) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(l.folder, path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (l lane) SaveTiles([]tlog.Tile, [][]byte) {}

// open checks the checkpoint with the first verifier key and returns the tree.
func open(folder string) (tlog.Tree, error) {
	var tree tlog.Tree
	keys, err := os.ReadFile(filepath.Join(folder, "vkey"))
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(strings.Split(string(keys), "\n")[0])
	if err != nil {
		return tree, err
	}
	data, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this key's origin")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// leaves reads the entry bundles.
func leaves(l lane, size int64) ([][]byte, error) {
	var all [][]byte
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(l.folder, path))
		if err != nil {
			return nil, err
		}
		for ; width > 0; width-- {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				return nil, errors.New("a bundle cut short")
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:end])
			data = data[end:]
		}
		if len(data) > 0 {
			return nil, errors.New("a bundle with more than its entries")
		}
	}
	return all, nil
}

// hashes reads the hash of every leaf, a tile's at a time: whoever reads one has its whole tile authenticated anew.
func hashes(reader tlog.HashReader, size int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for first := int64(0); first < size; first += 1 << height {
		var places []int64
		for n := first; n < size && n < first+1<<height; n++ {
			places = append(places, tlog.StoredHashIndex(0, n))
		}
		found, err := reader.ReadHashes(places)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func verify(folder string) (int64, error) {
	tree, err := open(folder)
	if err != nil {
		return 0, err
	}
	l := lane{folder}
	all, err := leaves(l, tree.N)
	if err != nil {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, l) // authenticates every tile it reads against the tree's hash
	if root, err := tlog.TreeHash(tree.N, reader); err != nil || root != tree.Hash {
		return 0, fmt.Errorf("the tiles do not give the root: %v", err)
	}
	hashed, err := hashes(reader, tree.N)
	if err != nil {
		return 0, err
	}
	for index, leaf := range all {
		n := int64(index)
		if hashed[n] != tlog.RecordHash(leaf) {
			return 0, fmt.Errorf("entry %d does not hash to its tile", n)
		}
		if n%97 != 0 && n != tree.N-1 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, n, hashed[n]); err != nil {
			return 0, err
		}
		earlier, err := tlog.TreeHash(n+1, reader)
		if err != nil {
			return 0, err
		}
		growth, err := tlog.ProveTree(tree.N, n+1, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(growth, tree.N, tree.Hash, n+1, earlier); err != nil {
			return 0, err
		}
	}
	return tree.N, nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gosumdb LANE_DIR")
		os.Exit(2)
	}
	size, err := verify(os.Args[1])
	if err != nil {
		fmt.Println("WRONG:", err)
		os.Exit(1)
	}
	fmt.Println("RIGHT:", size, "entries")
}
