//! Replays tests/bindings/conformance.json. KVC_CONFORMANCE names the script.
use std::collections::HashMap;
use std::time::Duration;

use kvc::{Action, Attend, CloseHint, Config, Engine, Error, Objective, Plane, Request, Session, SessionOptions, Space, SpaceDesc, Status, Tensor, TensorMut, Ticket};
use serde_json::{json, Value};

#[derive(Default)]
struct Named {
    config: Option<Config>,
    engine: Option<Engine>,
    space: Option<Space>,
    session: Option<Session>,
    ticket: Option<Ticket>,
    value: Value,
}

fn tokens(step: &Value) -> Vec<i32> {
    let list = step["tokens"].as_array().unwrap();
    match list.as_slice() {
        [first, to, end] if to == "to" => (first.as_i64().unwrap() as i32..end.as_i64().unwrap() as i32).collect(),
        all => all.iter().map(|t| t.as_i64().unwrap() as i32).collect(),
    }
}

fn size(step: &Value, name: &str) -> usize {
    step[name].as_u64().unwrap_or_else(|| panic!("{name} in {step}")) as usize
}

fn kv(step: &Value, layer: usize, plane: usize) -> Vec<f32> {
    let (from, n) = (size(step, "from"), size(step, "n"));
    let (heads, dim) = (size(step, "heads"), size(step, "dim"));
    (from..from + n)
        .flat_map(|t| (0..heads).flat_map(move |h| (0..dim).map(move |d| ((2 * layer + plane) * 1000 + t * 10 + h) as f32 + d as f32 / 16.0)))
        .collect()
}

fn request(step: &Value) -> Request {
    let mut r = match step["prompt"].as_str() {
        Some(prompt) => Request::new(prompt),
        None => Request::from_tokens(tokens(step)),
    };
    if let Some(n) = step["max_tokens"].as_u64() {
        r = r.max_tokens(n as u32);
    }
    if let Some(p) = step["top_p"].as_f64() {
        r = r.top_p(p);
    }
    if let Some(p) = step["priority"].as_i64() {
        r = r.priority(p as i32);
    }
    if let Some(a) = step["action"].as_i64() {
        r = r.action(Action(a as i32));
    }
    if let Some(tenant) = step["tenant"].as_str() {
        r = r.tenant(tenant);
    }
    for text in step["stop"].as_array().into_iter().flatten() {
        r = r.stop(text.as_str().unwrap());
    }
    r.no_cache(step["no_cache"] == true)
}

fn answer(r: kvc::Response) -> Value {
    json!({"text": r.text, "finish_reason": r.finish_reason, "prompt_tokens": r.prompt_tokens, "cached_tokens": r.cached_tokens,
           "computed_tokens": r.computed_tokens, "n_tokens": r.tokens.len(), "cache_hit": r.cache_hit, "miss_reason": r.miss_reason})
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> = (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect();
    std::array::from_fn(|i| bytes[i % bytes.len()])
}

struct Replay {
    named: HashMap<String, Named>,
    folder: std::path::PathBuf,
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.named.clear();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Replay {
    fn run(&mut self, scenario: &Value) -> usize {
        let steps = scenario["steps"].as_array().unwrap();
        for (index, step) in steps.iter().enumerate() {
            let place = format!("{}, step {} ({})", scenario["name"], index + 1, step["do"]);
            match self.perform(step) {
                Err(error) => assert_eq!(error.name(), step["error"].as_str().unwrap_or("success"), "{place}: {error}"),
                Ok(value) => {
                    assert!(step["error"].is_null(), "{place}: succeeded, expected {}", step["error"]);
                    if let Some(expected) = step.get("expect") {
                        self.compare(&value, expected, &place);
                    }
                    if let Some(name) = step["as"].as_str() {
                        self.named.entry(name.into()).or_default().value = value;
                    }
                }
            }
        }
        steps.len()
    }

    fn compare(&self, value: &Value, expected: &Value, place: &str) {
        let Some(members) = expected.as_object() else {
            assert_eq!(value, expected, "{place}");
            return;
        };
        for (name, wanted) in members {
            let (found, wanted) = if name == "same as" {
                (&value["ids"], &self.named[wanted.as_str().unwrap()].value["ids"])
            } else if let Some(other) = wanted["same as"].as_str() {
                (&value[name], &self.named[other].value["text"])
            } else {
                (&value[name], wanted)
            };
            assert_eq!(found, wanted, "{place}: {name}");
        }
    }

    fn on(&mut self, step: &Value) -> &mut Named {
        self.named.get_mut(step["on"].as_str().unwrap()).unwrap()
    }
    fn engine(&self, step: &Value) -> Engine {
        self.named[step["on"].as_str().unwrap()].engine.clone().unwrap()
    }
    fn session(&self, step: &Value) -> &Session {
        self.named[step["on"].as_str().unwrap()].session.as_ref().unwrap()
    }
    fn space(&self, step: &Value) -> &Space {
        self.named[step["on"].as_str().unwrap()].space.as_ref().unwrap()
    }
    fn make(&mut self, step: &Value, fill: impl FnOnce(&mut Named)) {
        fill(self.named.entry(step["as"].as_str().unwrap_or("").into()).or_default());
    }
    fn page_id(&self, step: &Value) -> [u8; 32] {
        match step["page"].as_str() {
            Some(page) => unhex(self.named[page].value["ids"][size(step, "index")].as_str().unwrap()),
            None => unhex(step["id"].as_str().unwrap()),
        }
    }

    /// A name in a folder of this case's own.
    fn path(&self, name: &str) -> String {
        std::fs::create_dir_all(&self.folder).unwrap();
        self.folder.join(name).to_str().unwrap().into()
    }

    fn perform(&mut self, s: &Value) -> Result<Value, Error> {
        let text = |name: &str| s[name].as_str().unwrap_or("");
        let tenant = s["tenant"].as_str();
        let done = Ok(Value::Null);
        match s["do"].as_str().unwrap() {
            "status_name" => Ok(json!(Error::new(Status(s["code"].as_i64().unwrap() as i32), "").name())),
            "has_feature" => Ok(json!(kvc::has_feature(text("name"))?)),
            "option" => {
                let all = kvc::options()?;
                let option = all.iter().find(|o| o.name == text("name")).unwrap();
                Ok(json!({"type": option.r#type, "default_value": option.default_value}))
            }
            "config" => {
                let config = Config::new(s["preset"].as_str())?;
                self.make(s, |n| n.config = Some(config));
                done
            }
            "config.set" => self.on(s).config.as_ref().unwrap().set(text("key"), text("value")).map(|_| Value::Null),
            "config.get" => Ok(json!(self.on(s).config.as_ref().unwrap().get(text("key"))?)),
            "engine" => {
                let config = Config::new(None)?;
                for (key, value) in s["options"].as_object().into_iter().flatten() {
                    let value = value.as_str().unwrap();
                    config.set(key, if key == "disk_path" { self.path(value) } else { value.into() })?;
                }
                let engine = Engine::with(&config)?;
                self.make(s, |n| n.engine = Some(engine));
                done
            }
            "engine.close" => {
                self.engine(s).close();
                done
            }
            "process" => self.engine(s).process(&request(s)).map(answer),
            "process_batch" => {
                let requests: Vec<_> = s["requests"].as_array().unwrap().iter().map(request).collect();
                let batch = self.engine(s).process_batch(&requests)?;
                let mut texts: Vec<_> = batch.responses.iter().flatten().map(|r| r.text.clone()).collect();
                texts.dedup();
                assert_eq!(texts.len(), 1, "answers of a batch differ");
                Ok(json!({"error": batch.error.map(|e| e.name()), "answered": batch.responses.iter().map(|r| r.is_some()).collect::<Vec<_>>(),
                          "text": texts[0]}))
            }
            "text_lacks" => {
                assert!(!self.on(s).value["text"].as_str().unwrap().contains(text("what")));
                done
            }
            "submit" => {
                let ticket = self.engine(s).submit(&request(s))?;
                self.make(s, |n| n.ticket = Some(ticket));
                done
            }
            "stream" => Ok(json!({"text": self.on(s).ticket.as_mut().unwrap().stream().collect::<kvc::Result<String>>()?})),
            "wait" => self.on(s).ticket.as_mut().unwrap().wait().map(answer),
            "cancel" => self.on(s).ticket.as_ref().unwrap().cancel().map(|_| Value::Null),
            "poll" => Ok(json!(self.engine(s).poll(64)?.len())),
            "step" => Ok(json!(self.engine(s).step()?)),
            "stats" => {
                let x = self.engine(s).stats()?;
                Ok(json!({"requests": x.requests, "requests_completed": x.requests_completed, "requests_failed": x.requests_failed,
                          "requests_refused": x.requests_refused, "requests_cancelled": x.requests_cancelled,
                          "requests_active": x.requests_active, "requests_queued": x.requests_queued, "request_hits": x.request_hits,
                          "prompt_tokens": x.prompt_tokens, "cached_tokens": x.cached_tokens, "generated_tokens": x.generated_tokens,
                          "matches": x.matches, "match_hits": x.match_hits, "matched_tokens": x.matched_tokens, "pages": x.pages,
                          "pages_pinned": x.pages_pinned, "sessions": x.sessions, "tensors": x.tensors,
                          "memory_payload": x.memory_payload}))
            }
            "tokenize" => Ok(json!(self.engine(s).tokenize(text("text"))?)),
            "detokenize" => Ok(json!(self.engine(s).detokenize(&tokens(s))?)),
            "space" => {
                let d = &s["desc"];
                let mut desc = SpaceDesc::new(d["weights"].as_str().unwrap()).adapters(&[]).attention(None);
                if d["without"] != "rope" {
                    desc = desc.rope(None);
                }
                if d["without"] != "tokenizer" {
                    desc = desc.tokenizer(None);
                }
                desc = desc.layers(size(d, "layers") as u32).kv_heads(size(d, "heads") as u32).head_dim(size(d, "dim") as u32, 0);
                let space = self.engine(s).open_space(&desc.page_tokens(size(d, "page_tokens") as u32))?;
                self.make(s, |n| n.space = Some(space));
                done
            }
            "space.info" => {
                let i = self.space(s).info()?;
                Ok(json!({"n_layers": i.n_layers, "n_kv_heads": i.n_kv_heads, "k_head_dim": i.k_head_dim, "v_head_dim": i.v_head_dim,
                          "dtype": i.dtype, "page_tokens": i.page_tokens, "page_bytes": i.page_bytes}))
            }
            "diff" => Ok(json!(self.space(s).diff(self.named[text("other")].space.as_ref().unwrap())?)),
            "page_ids" => {
                let ids: Vec<_> = self.space(s).page_ids(None, &tokens(s))?.iter().map(|id| hex(id)).collect();
                Ok(json!({"count": ids.len(), "ids": ids}))
            }
            "session" => {
                let options = SessionOptions { tenant: tenant.map(String::from), no_publish: s["publish"] == false, ..Default::default() };
                let session = self.space(s).open_session(&options)?;
                self.make(s, |n| n.session = Some(session));
                done
            }
            "session.close" => {
                let until = Duration::from_nanos(s["until_ns"].as_u64().unwrap_or(0));
                self.session(s).close(CloseHint(s["hint"].as_i64().unwrap_or(0) as i32), until).map(|_| Value::Null)
            }
            "match" => Ok(json!(self.session(s).match_tokens(&tokens(s))?)),
            "miss" => Ok(json!(self.session(s).miss()?.0 .0)),
            "append" | "append_all" => {
                let layers = s["layers"].as_u64().map_or(size_or(s, "layer")..size_or(s, "layer") + 1, |n| 0..n as usize);
                let (k, v): (Vec<_>, Vec<_>) = layers.map(|l| (kv(s, l, 0), kv(s, l, 1))).unzip();
                let (n, heads, dim) = (size(s, "n"), size(s, "heads"), size(s, "dim"));
                let tensors = |data: &'_ [Vec<f32>]| -> Vec<Tensor<'static>> {
                    // SAFETY of lifetimes: the rows outlive the calls below.
                    data.iter().map(|d| unsafe { std::mem::transmute(Tensor::thd(d, n, heads, dim).unwrap()) }).collect()
                };
                let (kt, vt) = (tensors(&k), tensors(&v));
                match s["layer"].as_u64() {
                    Some(layer) => self.session(s).append(layer as u32, &kt[0], &vt[0], n)?,
                    None => self.session(s).append_all(&kt, &vt, n)?,
                }
                done
            }
            "commit" => self.session(s).commit(&tokens(s)).map(|_| Value::Null),
            "read" => {
                let (n, heads, dim) = (size(s, "n"), size(s, "heads"), size(s, "dim"));
                let (layer, plane) = (size(s, "layer"), size(s, "plane"));
                let mut out = vec![0f32; n * heads * dim];
                let mut tensor = TensorMut::thd(&mut out, n, heads, dim)?;
                self.session(s).read(layer as u32, Plane(plane as i32), size(s, "from"), n, &mut tensor)?;
                assert_eq!(out, kv(s, layer, plane));
                done
            }
            "read_all" => {
                let (n, heads, dim) = (size(s, "n"), size(s, "heads"), size(s, "dim"));
                let mut planes = vec![vec![vec![0f32; n * heads * dim]; size(s, "layers")]; 2];
                let (k, v) = planes.split_at_mut(1);
                let mut kt: Vec<_> = k[0].iter_mut().map(|d| TensorMut::thd(d, n, heads, dim).unwrap()).collect();
                let mut vt: Vec<_> = v[0].iter_mut().map(|d| TensorMut::thd(d, n, heads, dim).unwrap()).collect();
                self.session(s).read_all(size(s, "from"), n, &mut kt, &mut vt)?;
                for (plane, layers) in planes.iter().enumerate() {
                    for (layer, found) in layers.iter().enumerate() {
                        assert_eq!(*found, kv(s, layer, plane));
                    }
                }
                done
            }
            "attend" => {
                let (n, heads, dim, queries) = (size(s, "n"), size(s, "heads"), size(s, "dim"), size(s, "query_heads"));
                let (zeros, mut out) = (vec![0f32; n * queries * dim], vec![0f32; n * queries * dim]);
                let how = Attend { window: s["window"].as_u64().unwrap_or(0), ..Default::default() };
                let (query, layer) = (Tensor::thd(&zeros, n, queries, dim)?, size(s, "layer"));
                self.session(s).attend(layer as u32, &how, &query, &mut TensorMut::thd(&mut out, n, queries, dim)?)?;
                // Attention of queries of zeros is the mean of V over the tokens that they see.
                let (first, to) = (s["mean_of_tokens"][0].as_u64().unwrap(), s["mean_of_tokens"][1].as_u64().unwrap());
                let seen = kv(&json!({"from": first, "n": to - first, "heads": heads, "dim": dim}), layer, 1);
                for (i, found) in out.iter().enumerate() {
                    let place = i / dim / (queries / heads) % heads * dim + i % dim;
                    let mean = seen.iter().skip(place).step_by(heads * dim).sum::<f32>() / (to - first) as f32;
                    assert!((found - mean).abs() < mean / 1000.0, "attention gives {found}, expected {mean}");
                }
                done
            }
            "hint" => self.session(s).hint(s["hint"].as_i64().unwrap() as i32).map(|_| Value::Null),
            "expect" => self.session(s).expect(s["in_ns"].as_u64().unwrap()).map(|_| Value::Null),
            "chat_text" => {
                let pairs = s["messages"].as_array().unwrap().iter().map(|m| (m[0].as_str().unwrap(), m[1].as_str().unwrap())).collect::<Vec<_>>();
                Ok(json!(self.engine(s).chat_text(&pairs, s["answer"] != false)?))
            }
            "persist" => Ok(json!(self.engine(s).persist(None)?)),
            "persist_to" => Ok(json!(self.engine(s).persist_to(&self.path(text("path")), tenant)?)),
            "load" => Ok(json!(self.engine(s).load(&self.path(text("path")))?)),
            "pack_write" => Ok(json!(self.space(s).pack_write(&self.path(text("path")), tenant, &tokens(s))?)),
            "pack_open" => Ok(json!(self.engine(s).pack_open(&self.path(text("path")))?)),
            "purge" => Ok(json!(self.engine(s).tenant_purge(tenant)?)),
            "trace_start" => self.engine(s).trace_start(&self.path(text("path"))).map(|_| Value::Null),
            "trace_stop" => Ok(json!(self.engine(s).trace_stop()?)),
            "whatif" => {
                let w = self.engine(s).whatif(s["budget"].as_u64().unwrap_or(0), s["policy"].as_str())?;
                Ok(json!({"sessions": w.sessions}))
            }
            "adapt" => {
                let objective = Objective(s["objective"].as_i64().unwrap_or(0) as i32);
                self.engine(s).adapt(objective, s["prefill_speed"].as_f64().unwrap_or(0.0), 0.0).map(|_| Value::Null)
            }
            "session.info" => {
                let i = self.session(s).info()?;
                Ok(json!({"length": i.length, "matched": i.matched, "pages": i.pages, "pending": i.pending, "pinned": i.pinned,
                          "priority": i.priority}))
            }
            "session.tokens" => Ok(json!(self.session(s).tokens(size(s, "from"), size(s, "n"))?)),
            "truncate" => self.session(s).truncate(size(s, "n")).map(|_| Value::Null),
            "fork" => {
                let fork = self.session(s).fork()?;
                self.make(s, |n| n.session = Some(fork));
                done
            }
            "pin" => self.session(s).pin(s["pinned"] == true).map(|_| Value::Null),
            "set_priority" => self.session(s).set_priority(s["priority"].as_i64().unwrap() as i32).map(|_| Value::Null),
            "trim" => Ok(json!(self.engine(s).trim(s["bytes"].as_u64().unwrap())?)),
            "pages" => {
                let pages = self.engine(s).pages(None)?.collect::<kvc::Result<Vec<_>>>()?;
                let positions: Vec<_> = pages.iter().map(|p| p.position).collect();
                let n_tokens: Vec<_> = pages.iter().map(|p| p.n_tokens).collect();
                let ids: Vec<_> = pages.iter().map(|p| hex(&p.id)).collect();
                Ok(json!({"count": pages.len(), "positions": positions, "n_tokens": n_tokens, "ids": ids, "codec": pages[0].codec}))
            }
            "page_tokens" => Ok(json!(self.engine(s).page_tokens(&self.page_id(s))?)),
            "page_info" => {
                let i = self.engine(s).page_info(&self.page_id(s))?;
                Ok(json!({"position": i.position, "n_tokens": i.n_tokens, "bytes": i.bytes, "tier": i.tier}))
            }
            "put" => {
                let shape: Vec<usize> = s["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
                let data: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32 / 2.0).collect();
                self.engine(s).put(tenant, text("key").as_bytes(), &Tensor::new(&data, &shape)?).map(|_| Value::Null)
            }
            "get" => Ok(self.engine(s).get::<f32>(tenant, text("key").as_bytes())?.map_or(Value::Null, |(data, shape)| {
                assert!(data.iter().enumerate().all(|(i, x)| *x == i as f32 / 2.0));
                json!(shape)
            })),
            "contains" => Ok(json!(self.engine(s).contains(tenant, text("key").as_bytes())?)),
            "remove" => Ok(json!(self.engine(s).remove(tenant, text("key").as_bytes())?)),
            other => panic!("no operation {other}"),
        }
    }
}

fn size_or(step: &Value, name: &str) -> usize {
    step[name].as_u64().unwrap_or(0) as usize
}

#[test]
fn the_conformance_script_holds() {
    let path = std::env::var("KVC_CONFORMANCE").unwrap_or_else(|_| "../../../tests/bindings/conformance.json".into());
    let script: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = script["cases"].as_array().unwrap();
    let steps: usize = cases.iter().enumerate()
        .map(|(i, case)| {
            let folder = std::env::temp_dir().join(format!("kvc-conformance-{}-{i}", std::process::id()));
            Replay { named: HashMap::new(), folder }.run(case)
        })
        .sum();
    println!("{} cases, {steps} steps, 0 failed", cases.len());
    assert!(steps > 100);
}
