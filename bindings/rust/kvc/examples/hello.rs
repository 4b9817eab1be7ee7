//! Ask for text twice - the second time the prompt's K/V is found in the cache - and read an answer as it comes.
use kvc::{Engine, Request};

const PROMPT: &str = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and \
                      darkness was upon the face of the deep. And the Spirit of God moved upon the face of";

fn main() -> kvc::Result<()> {
    let engine = Engine::new()?;
    for _ in 0..2 {
        let answer = engine.process(&Request::new(PROMPT).max_tokens(24))?;
        println!("{:?} ({} of {} prompt tokens were cached)", answer.text, answer.cached_tokens, answer.prompt_tokens);
    }
    let mut ticket = engine.submit(&Request::new("And God said, Let there be light: and").max_tokens(16))?;
    for piece in ticket.stream() {
        print!("{}", piece?);
    }
    println!();
    match engine.process(&Request::new(PROMPT).max_tokens(100_000)) {
        Err(error) => println!("{}", error.name()),
        Ok(_) => println!("longer than the model's context"),
    }
    Ok(())
}
