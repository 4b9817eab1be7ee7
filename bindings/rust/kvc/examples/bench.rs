//! bench/bindings/bench.c through this crate: the same figures.
use kvc::{Config, Engine, Plane, Request, SpaceDesc, Tensor, TensorMut};
use std::time::Instant;

const CALLS: u32 = 10_000;
const TOKENS: usize = 4096;
const HEADS: usize = 8;
const DIM: usize = 64;

fn main() -> kvc::Result<()> {
    let engine = Engine::new()?;
    engine.put(None, b"key", &Tensor::new(&[1f32], &[1])?)?;
    let mut chunks = Vec::new();
    for _ in 0..30 {
        let begin = Instant::now();
        for _ in 0..CALLS {
            engine.contains(None, b"key")?;
        }
        chunks.push(begin.elapsed().as_nanos());
    }
    println!("contains_ns {:.2}", *chunks.iter().min().unwrap() as f64 / f64::from(CALLS));

    let desc = SpaceDesc::new("w").tokenizer(None).rope(None).adapters(&[]).attention(None);
    let space = engine.open_space(&desc.layers(1).kv_heads(HEADS as u32).head_dim(DIM as u32, 0).page_tokens(64))?;
    let session = space.open_session(&Default::default())?;
    let mut rows = vec![0f32; TOKENS * HEADS * DIM];
    let tensor = Tensor::thd(&rows, TOKENS, HEADS, DIM)?;
    session.append_all(&[tensor], &[tensor], TOKENS)?;
    session.commit(&(0..TOKENS as i32).collect::<Vec<_>>())?;
    let mut best = u128::MAX;
    for _ in 0..20 {
        let begin = Instant::now();
        session.read(0, Plane::KEY, 0, TOKENS, &mut TensorMut::thd(&mut rows, TOKENS, HEADS, DIM)?)?;
        best = best.min(begin.elapsed().as_nanos());
    }
    println!("read_ns {best}");

    let config = Config::new(None)?;
    config.set("threads", 0)?;
    let mut ticket = Engine::with(&config)?.submit(&Request::new("In the beginning").max_tokens(400))?;
    let (mut took, mut begin) = (Vec::new(), Instant::now());
    for piece in ticket.stream() {
        piece?;
        took.push(begin.elapsed().as_nanos());
        begin = Instant::now();
    }
    took.sort_unstable();
    println!("piece_ns {}", took[took.len() / 2]);
    Ok(())
}
