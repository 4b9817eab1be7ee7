// Asks for text twice - the second time the prompt's K/V is found in the cache -, reads an answer as it comes, and meets an error.
import { Engine, KvcError } from 'libkvc';

const prompt = 'In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was '
  + 'upon the face of the deep. And the Spirit of God moved upon the face of';

const engine = await Engine.open({ memory: '256MiB' });
for (let i = 0; i < 2; i += 1) {
  const answer = await engine.process({ prompt, maxTokens: 24 });
  console.log(`${JSON.stringify(answer.text)} (${answer.cachedTokens} of ${answer.promptTokens} prompt tokens were cached)`);
}

// Leaving the loop would cancel the request.
for await (const piece of engine.stream({ prompt: 'And God said, Let there be light: and', maxTokens: 16 })) process.stdout.write(piece);
console.log();

try {
  await engine.process({ prompt, maxTokens: 100_000 });
} catch (error) {
  if (!(error instanceof KvcError)) throw error;
  console.log(error.status);
}
await engine.close();
