// bench/bindings/bench.c through this package: the same figures.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/libkvc/kvc/bindings/go"
)

const calls, chunks, tokens, heads, dim, reads, pieces = 10000, 30, 4096, 8, 64, 20, 400

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	engine := must(kvc.New())
	key := []byte("key")
	check(engine.Put("", key, kvc.Of([]float32{1}, 1)))
	begin, cheapest := time.Now(), time.Hour
	for range chunks {
		begin = time.Now()
		for range calls {
			must(engine.Contains("", key))
		}
		cheapest = min(cheapest, time.Since(begin))
	}
	fmt.Printf("contains_ns %.2f\n", float64(cheapest.Nanoseconds())/calls)

	none := kvc.AbsentTokenizer | kvc.AbsentRope | kvc.AbsentAdapters | kvc.AbsentAttention
	space := must(engine.OpenSpace(kvc.SpaceDesc{Weights: []byte("w"), None: none, Layers: 1, KVHeads: heads, KHeadDim: dim, PageTokens: 64}))
	session := must(space.OpenSession(nil))
	rows, ids := make([]float32, tokens*heads*dim), make([]int32, tokens)
	for i := range ids {
		ids[i] = int32(i)
	}
	tensor := kvc.THD(rows, tokens, heads, dim)
	check(session.AppendAll([]kvc.Tensor{tensor}, []kvc.Tensor{tensor}, tokens))
	check(session.Commit(ids))
	best := time.Hour
	for range reads {
		begin = time.Now()
		check(session.Read(0, kvc.Key, 0, tokens, tensor))
		best = min(best, time.Since(begin))
	}
	fmt.Printf("read_ns %d\n", best.Nanoseconds())

	stepped := must(kvc.New(kvc.With("threads", 0)))
	ticket := must(stepped.Submit(kvc.Request{Prompt: "In the beginning", MaxTokens: pieces}))
	var took []time.Duration
	for {
		begin = time.Now()
		_, more, err := ticket.Next(context.Background())
		if check(err); !more {
			break
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	fmt.Printf("piece_ns %d\n", took[len(took)/2].Nanoseconds())
}
