//! Alone in its process, because it looks at the process's memory.
use kvc::*;

fn resident_kib() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4
}

#[test]
fn a_thousand_engines_leave_no_memory_behind() {
    let mut before = 0;
    for cycle in 0..1000 {
        let config = Config::new(None).unwrap();
        config.set("memory", "4MiB").unwrap().set("model", "none").unwrap();
        let engine = Engine::with(&config).unwrap();
        engine.put(None, b"k", &Tensor::new(&[1f32, 2.0], &[2]).unwrap()).unwrap();
        let desc = SpaceDesc::new("w").tokenizer(None).rope(None).adapters(&[]).attention(None).layers(1).kv_heads(1).head_dim(4, 0);
        let space = engine.open_space(&desc.page_tokens(8)).unwrap();
        space.open_session(&Default::default()).unwrap().match_tokens(&[1, 2, 3]).unwrap();
        if cycle == 200 {
            before = resident_kib();
        }
    }
    assert!(resident_kib() < before + 2048, "grew from {before} KiB to {} KiB", resident_kib());
}
