// Asks for text twice - the second time the prompt's K/V is found in the cache -, reads an answer as it comes, and meets an error.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/libkvc/kvc/bindings/go"
)

const prompt = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was " +
	"upon the face of the deep. And the Spirit of God moved upon the face of"

func main() {
	engine, err := kvc.New(kvc.With("memory", "256MiB"))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	ctx := context.Background()
	for range 2 {
		answer, err := engine.Process(ctx, kvc.Request{Prompt: prompt, MaxTokens: 24})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q (%d of %d prompt tokens were cached)\n", answer.Text, answer.CachedTokens, answer.PromptTokens)
	}

	// Leaving the loop would cancel the request.
	for piece, err := range engine.Stream(ctx, kvc.Request{Prompt: "And God said, Let there be light: and", MaxTokens: 16}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece)
	}
	fmt.Println()

	if _, err = engine.Process(ctx, kvc.Request{Prompt: prompt, MaxTokens: 100_000}); errors.Is(err, kvc.ErrContext) {
		fmt.Println(kvc.StatusOf(err).Name())
	}
}
