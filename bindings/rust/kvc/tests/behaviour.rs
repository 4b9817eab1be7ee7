//! What the conformance script does not show: life, threads, callbacks, panics, models.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kvc::*;

const PROMPT: &str = "In the beginning God created the heaven and the earth.";

fn until(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_status_has_the_librarys_name() {
    for status in Status::ALL.iter().filter(|s| s.0 < 0) {
        let error = Error::new(*status, "words");
        assert_eq!(error.name(), format!("KVC_E_{status:?}"));
        assert_eq!(error.to_string(), format!("KVC_E_{status:?}: words"));
    }
    let as_std: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::new(Status::IO, "x"));
    assert!(as_std.to_string().contains("KVC_E_IO"));
}

#[test]
fn closing_lets_a_running_call_end_and_may_be_repeated() {
    let engine = Engine::new().unwrap();
    let other = engine.clone();
    let asking = std::thread::spawn(move || other.process(&Request::new(PROMPT).max_tokens(4000)).unwrap_err().code);
    until(|| engine.stats().unwrap().requests_active == 1);
    engine.close();
    engine.close();
    assert_eq!(asking.join().unwrap(), Status::CANCELLED);
    assert_eq!(engine.stats().unwrap_err().code, Status::CLOSED);
}

#[test]
fn dropping_a_ticket_or_a_stream_cancels() {
    let engine = Engine::new().unwrap();
    let pieces = Arc::new(AtomicUsize::new(0));
    let counter = pieces.clone();
    let request = Request::new(PROMPT).max_tokens(4000).on_text(move |_| counter.fetch_add(1, Ordering::SeqCst) < usize::MAX);
    let mut ticket = engine.submit(&request).unwrap();
    for piece in ticket.stream().take(3) {
        assert!(!piece.unwrap().is_empty());
    }
    assert!(ticket.wait_for(Duration::ZERO).unwrap().is_none());
    drop(ticket);
    until(|| engine.stats().unwrap().requests_cancelled == 1);
    assert!(pieces.load(Ordering::SeqCst) >= 3);
}

#[test]
fn on_text_may_refuse_and_may_panic() {
    let engine = Engine::new().unwrap();
    let error = engine.process(&Request::new(PROMPT).max_tokens(500).on_text(|_| false)).unwrap_err();
    assert_eq!(error.code, Status::CANCELLED);
    assert!(error.response.unwrap().tokens.len() < 500);
    for _ in 0..2 {
        let error = engine.process(&Request::new(PROMPT).on_text(|_| panic!("no more"))).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Status::USER, "on_text panicked: no more"));
    }
    assert_eq!(engine.process(&Request::new(PROMPT).max_tokens(3)).unwrap().tokens.len(), 3);
}

#[test]
fn callbacks_come_from_the_engines_thread() {
    let engine = Engine::new().unwrap();
    let threads = Arc::new(Mutex::new(Vec::new()));
    let seen = threads.clone();
    let push = move |_: &str| {
        seen.lock().unwrap().push(std::thread::current().id());
        true
    };
    engine.process(&Request::new(PROMPT).max_tokens(4).on_text(push)).unwrap();
    let threads = threads.lock().unwrap();
    assert!(!threads.is_empty() && threads.iter().all(|t| *t != std::thread::current().id()));
}

struct Counted(Arc<AtomicUsize>);
// SAFETY: the system's allocator, with the sizes as they were asked for.
unsafe impl Allocator for Counted {
    fn allocate(&self, size: usize, alignment: usize) -> *mut u8 {
        self.0.fetch_add(size, Ordering::SeqCst);
        unsafe { std::alloc::alloc(std::alloc::Layout::from_size_align(size.max(1), alignment).unwrap()) }
    }
    fn release(&self, pointer: *mut u8, size: usize, alignment: usize) {
        self.0.fetch_sub(size, Ordering::SeqCst);
        unsafe { std::alloc::dealloc(pointer, std::alloc::Layout::from_size_align(size.max(1), alignment).unwrap()) }
    }
}

#[test]
fn logger_clock_and_allocator_are_used_and_may_panic() {
    let (held, lines, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(1)));
    let config = Config::new(None).unwrap();
    let (l, n) = (lines.clone(), now.clone());
    let log = move |_level: LogLevel, _line: &str| {
        l.fetch_add(1, Ordering::SeqCst);
        panic!("in the logger");
    };
    config.set_logger(LogLevel::DEBUG, log).unwrap();
    config.set_clock(move || n.fetch_add(1000, Ordering::SeqCst) as u64).unwrap();
    config.set_allocator(Counted(held.clone())).unwrap();
    let engine = Engine::with(&config).unwrap();
    drop(config);
    engine.process(&Request::new(PROMPT).max_tokens(2)).unwrap();
    assert!(held.load(Ordering::SeqCst) > 0 && lines.load(Ordering::SeqCst) > 0 && now.load(Ordering::SeqCst) > 1000);
    drop(engine);
    assert_eq!(held.load(Ordering::SeqCst), 0);
}

#[test]
fn tensors_of_other_types_and_shapes() {
    let engine = Engine::new().unwrap();
    engine.put(None, b"h", &Tensor::new(&[F16(1), F16(2), F16(3)], &[3]).unwrap()).unwrap();
    assert_eq!(engine.get::<F16>(None, b"h").unwrap().unwrap().0, [F16(1), F16(2), F16(3)]);
    assert_eq!(engine.get::<f32>(None, b"h").unwrap_err().code, Status::DTYPE);
    let rows: Vec<f32> = (0..24).map(|i| i as f32).collect();
    engine.put(None, b"t", &Tensor::htd(&rows, 3, 2, 4).unwrap()).unwrap();
    let mut back = vec![0f32; 24];
    assert!(engine.get_into(None, b"t", &mut TensorMut::htd(&mut back, 3, 2, 4).unwrap()).unwrap());
    assert_eq!(back, rows);
    let larger = Tensor::new(&rows, &[5, 5]).unwrap();
    assert_eq!(engine.put(None, b"x", &larger).unwrap_err().code, Status::SHAPE);
    assert_eq!(engine.process(&Request::new("x").tenant("a\0b")).unwrap_err().code, Status::INVALID);
}

#[test]
fn attention_over_what_is_stored() {
    let engine = Engine::new().unwrap();
    let session = engine.open_space(&desc()).unwrap().open_session(&SessionOptions { exact: true, ..Default::default() }).unwrap();
    let data = rows(&[3, 5, 7]);
    let t = Tensor::thd(&data, 3, 1, 4).unwrap();
    session.append_all(&[t, t], &[t, t], 3).unwrap();
    let (query, mut out) = ([0f32; 8], [0f32; 8]);
    let ask = |how: &Attend, out: &mut [f32]| {
        let mut tensor = TensorMut::thd(out, 1, 2, 4).unwrap();
        session.attend(1, how, &Tensor::thd(&query, 1, 2, 4).unwrap(), &mut tensor)
    };
    // A query of zeros weighs all that it sees alike: the mean.
    ask(&Attend::default(), &mut out).unwrap();
    assert!(out.iter().all(|x| (x - 5.0).abs() < 1e-3), "{out:?}");
    ask(&Attend { window: 1, ..Default::default() }, &mut out).unwrap();
    assert!(out.iter().all(|x| (x - 7.0).abs() < 1e-3), "{out:?}");
    let uneven = Attend { sink_scores: Some(vec![0.0]), ..Default::default() };
    assert_eq!(ask(&uneven, &mut out).unwrap_err().code, Status::SHAPE);
}

fn desc() -> SpaceDesc {
    let desc = SpaceDesc::new("counting").tokenizer(None).rope(None).adapters(&[]).attention(None);
    desc.layers(2).kv_heads(1).head_dim(4, 0).page_tokens(8).vocab_size(256)
}

/// The next token is the sum of all before it, read back from K/V: every page is looked at.
#[derive(Default)]
struct Counting {
    own: bool,
    broken: AtomicUsize,
    released: Arc<AtomicBool>,
    sequences: Mutex<HashMap<u64, Vec<i32>>>,
    imported: Arc<AtomicUsize>,
}

fn rows(tokens: &[i32]) -> Vec<f32> {
    tokens.iter().flat_map(|t| [*t as f32; 4]).collect()
}

fn expected(prompt: &str, n: usize) -> Vec<i32> {
    let mut tokens: Vec<i32> = prompt.bytes().map(i32::from).collect();
    for _ in 0..n {
        tokens.push(tokens.iter().sum::<i32>() % 256);
    }
    tokens.split_off(prompt.len())
}

impl Backend for Counting {
    fn kind(&self) -> BackendKind {
        if self.own { BackendKind::OWN_KV } else { BackendKind::PAGED }
    }
    fn describe(&self) -> Result<ModelInfo> {
        Ok(ModelInfo::new("counting", desc(), 512))
    }
    fn tokenize(&self, text: &[u8]) -> Result<Vec<i32>> {
        Ok(text.iter().map(|b| i32::from(*b)).collect())
    }
    fn detokenize(&self, token: i32) -> Result<Vec<u8>> {
        Ok(vec![token as u8])
    }
    fn chat_text(&self, messages: &[(String, String)], answer: bool) -> Result<String> {
        Ok(messages.iter().map(|(r, c)| format!("{r}: {c}\n")).collect::<String>() + if answer { ">" } else { "" })
    }
    fn sequence_open(&self, sequence: u64) -> Result<()> {
        self.sequences.lock().unwrap().insert(sequence, Vec::new());
        Ok(())
    }
    fn sequence_close(&self, sequence: u64) {
        self.sequences.lock().unwrap().remove(&sequence);
    }
    fn forward(&self, items: &mut [Forward<'_>]) -> Result<()> {
        match self.broken.load(Ordering::SeqCst) {
            1 => return Err(Error::new(Status::USER, "the accelerator is on fire")),
            2 => panic!("the accelerator is gone"),
            _ => {}
        }
        for item in items {
            let sum: i32 = if let Some(session) = &item.session {
                let new = rows(item.tokens);
                let t = Tensor::thd(&new, item.tokens.len(), 1, 4)?;
                session.append_all(&[t, t], &[t, t], item.tokens.len())?;
                let n = item.position + item.tokens.len();
                let mut past = vec![0f32; n * 4];
                session.read(1, Plane::VALUE, 0, n, &mut TensorMut::thd(&mut past, n, 1, 4)?)?;
                past.iter().step_by(4).map(|x| *x as i32).sum()
            } else {
                let mut all = self.sequences.lock().unwrap();
                let own = all.get_mut(&item.sequence).unwrap();
                assert_eq!(own.len(), item.position);
                own.extend_from_slice(item.tokens);
                own.iter().sum()
            };
            if let Some(logits) = &mut item.logits {
                logits[(sum % 256) as usize] = 1.0;
            }
        }
        Ok(())
    }
    fn export_kv(&self, sequence: u64, session: &SessionView, from: usize, n: usize) -> Result<()> {
        let new = rows(&self.sequences.lock().unwrap()[&sequence][from..from + n]);
        let t = Tensor::thd(&new, n, 1, 4)?;
        (0..2).try_for_each(|layer| session.append(layer, &t, &t, n))
    }
    fn import_kv(&self, sequence: u64, session: &SessionView, tokens: &[i32], from: usize) -> Result<()> {
        let mut data = vec![0f32; tokens.len() * 4];
        session.read(0, Plane::KEY, from, tokens.len(), &mut TensorMut::thd(&mut data, tokens.len(), 1, 4)?)?;
        assert_eq!(data, rows(tokens));
        self.imported.fetch_add(tokens.len(), Ordering::SeqCst);
        self.sequences.lock().unwrap().get_mut(&sequence).unwrap().extend_from_slice(tokens);
        Ok(())
    }
    fn truncate(&self, sequence: u64, n: usize) -> Result<()> {
        self.sequences.lock().unwrap().get_mut(&sequence).unwrap().truncate(n);
        Ok(())
    }
    fn released(&self) {
        self.released.store(true, Ordering::SeqCst);
    }
}

fn engine_with(backend: Arc<Counting>) -> Engine {
    let config = Config::new(None).unwrap();
    config.set("memory", "16MiB").unwrap();
    config.set_backend(Some(backend)).unwrap();
    Engine::with(&config).unwrap()
}

#[test]
fn a_model_in_rust_answers_and_gets_its_kv_back() {
    for own in [false, true] {
        let backend = Arc::new(Counting { own, ..Default::default() });
        let engine = engine_with(backend.clone());
        let mut cached = 0;
        for (prompt, hit) in [("counting", false), ("counting again", true), ("counting again and again", true), ("counting", true)] {
            let response = engine.process(&Request::new(prompt).max_tokens(12)).unwrap();
            assert_eq!(response.tokens, expected(prompt, 12));
            assert_eq!(response.cached_tokens > 0, hit, "{prompt}");
            cached += response.cached_tokens as usize;
        }
        assert_eq!(backend.imported.load(Ordering::SeqCst), if own { cached } else { 0 });
        assert_eq!(engine.chat_text(&[("user", "Hi")], true).unwrap(), "user: Hi\n>");
        drop(engine);
        assert!(backend.released.load(Ordering::SeqCst) && backend.sequences.lock().unwrap().is_empty());
    }
}

#[test]
fn errors_and_panics_of_a_model_fail_the_request_with_their_words() {
    let backend = Arc::new(Counting::default());
    let engine = engine_with(backend.clone());
    for (broken, words) in [(1, "the accelerator is on fire"), (2, "panicked: the accelerator is gone")] {
        backend.broken.store(broken, Ordering::SeqCst);
        let error = engine.process(&Request::new("hello").max_tokens(4)).unwrap_err();
        assert!(error.message.contains(words), "{error}");
    }
    backend.broken.store(0, Ordering::SeqCst);
    assert_eq!(engine.process(&Request::new("hello").max_tokens(4)).unwrap().tokens, expected("hello", 4));
}
