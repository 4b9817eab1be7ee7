package kvc_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/libkvc/kvc/bindings/go"
)

var background = context.Background()

type step = map[string]any

// replay is one case; results by the names that the script gives them.
type replay struct {
	t     *testing.T
	named map[string]any
}

func TestConformance(t *testing.T) {
	path := os.Getenv("KVC_CONFORMANCE")
	if path == "" {
		path = "../../tests/bindings/conformance.json"
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	var script struct {
		Cases []struct {
			Name  string
			Steps []step
		}
	}
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatal(err)
	}
	if len(script.Cases) < 18 {
		t.Fatalf("only %d cases", len(script.Cases))
	}
	for _, c := range script.Cases {
		t.Run(c.Name, func(t *testing.T) {
			r := &replay{t, map[string]any{}}
			for i, s := range c.Steps {
				r.run(fmt.Sprintf("step %d (%s)", i+1, s["do"]), s)
			}
			for _, item := range r.named {
				if closer, ok := item.(interface{ Close() error }); ok {
					closer.Close()
				}
			}
		})
	}
}

func (r *replay) run(where string, s step) {
	result, err := r.do(s)
	if wanted, ok := s["error"]; ok {
		if err == nil || kvc.StatusOf(err).Name() != wanted {
			r.t.Fatalf("%s: %v, expected %v", where, err, wanted)
		}
		return
	}
	if err != nil {
		r.t.Fatalf("%s: %v", where, err)
	}
	if name, ok := s["as"].(string); ok {
		r.named[name] = result
	}
	if expected, ok := s["expect"]; ok {
		r.compare(where, result, expected)
	}
}

// plain is a value as JSON would give it.
func plain(value any) any {
	raw, _ := json.Marshal(value)
	var out any
	json.Unmarshal(raw, &out)
	return out
}

// member finds "cached_tokens" as CachedTokens.
func member(result any, name string) any {
	if m, ok := result.(map[string]any); ok {
		return m[name]
	}
	v := reflect.Indirect(reflect.ValueOf(result))
	if name == "n_tokens" && v.Type().Name() == "Response" {
		return v.FieldByName("Tokens").Len()
	}
	field := v.FieldByNameFunc(func(own string) bool { return strings.EqualFold(own, strings.ReplaceAll(name, "_", "")) })
	return field.Interface()
}

func (r *replay) compare(where string, result, expected any) {
	members, ok := expected.(map[string]any)
	if !ok {
		if !reflect.DeepEqual(plain(result), expected) {
			r.t.Fatalf("%s: %v, expected %v", where, result, expected)
		}
		return
	}
	for name, value := range members {
		if name == "same as" {
			if !reflect.DeepEqual(member(result, "ids"), member(r.named[value.(string)], "ids")) {
				r.t.Fatalf("%s: other identities than %v", where, value)
			}
			continue
		}
		if same, ok := value.(map[string]any); ok {
			value = member(r.named[same["same as"].(string)], name)
		}
		if found := member(result, name); !reflect.DeepEqual(plain(found), plain(value)) {
			r.t.Fatalf("%s: %s is %v, expected %v", where, name, found, value)
		}
	}
}

func number(s step, name string) int {
	n, _ := s[name].(float64)
	return int(n)
}

func text(s step, name string) string {
	t, _ := s[name].(string)
	return t
}

func tokensOf(s step) []int32 {
	list, tokens := s["tokens"].([]any), []int32{}
	if len(list) == 3 && list[1] == "to" {
		for t := int32(list[0].(float64)); t < int32(list[2].(float64)); t++ {
			tokens = append(tokens, t)
		}
		return tokens
	}
	for _, t := range list {
		tokens = append(tokens, int32(t.(float64)))
	}
	return tokens
}

func kv(layer, plane, from, n, heads, dim int) []float32 {
	var rows []float32
	for t := from; t < from+n; t++ {
		for h := range heads {
			for d := range dim {
				rows = append(rows, float32((2*layer+plane)*1000+t*10+h)+float32(d)/16)
			}
		}
	}
	return rows
}

func (r *replay) kvTensor(s step, layer, plane int) kvc.Tensor {
	n, heads, dim := number(s, "n"), number(s, "heads"), number(s, "dim")
	return kvc.THD(kv(layer, plane, number(s, "from"), n, heads, dim), n, heads, dim)
}

func halves(shape []int) []float32 {
	n := 1
	for _, size := range shape {
		n *= size
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i) / 2
	}
	return data
}

func shapeOf(s step) (shape []int) {
	for _, n := range s["shape"].([]any) {
		shape = append(shape, int(n.(float64)))
	}
	return
}

func requestOf(s step) kvc.Request {
	request := kvc.Request{Prompt: text(s, "prompt"), MaxTokens: uint32(number(s, "max_tokens")), Priority: kvc.Priority(number(s, "priority")),
		Action: kvc.Action(number(s, "action")), NoCache: s["no_cache"] == true, Tenant: text(s, "tenant"), SessionID: text(s, "session_id")}
	if _, ok := s["tokens"]; ok {
		request.Tokens = tokensOf(s)
	}
	request.TopP, _ = s["top_p"].(float64)
	if stops, ok := s["stop"].([]any); ok {
		for _, stop := range stops {
			request.Stop = append(request.Stop, stop.(string))
		}
	}
	return request
}

func (r *replay) do(s step) (any, error) {
	switch object := r.named[text(s, "on")].(type) {
	case *kvc.Engine:
		return r.onEngine(object, s)
	case *kvc.Space:
		return r.onSpace(object, s)
	case *kvc.Session:
		return r.onSession(object, s)
	case *kvc.Config:
		if s["do"] == "config.set" {
			return nil, object.Set(text(s, "key"), s["value"])
		}
		return object.Get(text(s, "key"))
	case *kvc.Ticket:
		switch s["do"] {
		case "wait":
			return object.Wait(background)
		case "cancel":
			return nil, object.Cancel()
		case "stream":
			whole := ""
			for {
				piece, more, err := object.Next(background)
				if err != nil || !more {
					return map[string]any{"text": whole}, err
				}
				whole += piece
			}
		}
	case *kvc.Response:
		if s["do"] == "text_lacks" && !strings.Contains(object.Text, text(s, "what")) {
			return nil, nil
		}
		return nil, fmt.Errorf("the text has it: %q", object.Text)
	}
	switch s["do"] {
	case "status_name":
		return kvc.Status(number(s, "code")).Name(), nil
	case "has_feature":
		return kvc.HasFeature(text(s, "name")), nil
	case "option":
		options, err := kvc.Options()
		for _, o := range options {
			if o.Name == s["name"] {
				return o, nil
			}
		}
		return nil, err
	case "config":
		return kvc.NewConfig(text(s, "preset"))
	case "engine":
		var options []kvc.Option
		if given, ok := s["options"].(map[string]any); ok {
			for key, value := range given {
				if key == "disk_path" {
					value = r.path(step{"path": value})
				}
				options = append(options, kvc.With(key, value))
			}
		}
		return kvc.New(options...)
	}
	return nil, fmt.Errorf("unknown operation %v", s["do"])
}

func (r *replay) pageID(s step) (id [32]byte) {
	if page, ok := s["page"].(string); ok {
		return r.named[page].(map[string]any)["ids"].([][32]byte)[number(s, "index")]
	}
	one, _ := hex.DecodeString(text(s, "id"))
	for i := range id {
		id[i] = one[0]
	}
	return
}

func (r *replay) onEngine(e *kvc.Engine, s step) (any, error) {
	key, tenant := []byte(text(s, "key")), text(s, "tenant")
	switch s["do"] {
	case "engine.close":
		return nil, e.Close()
	case "process":
		return e.Process(background, requestOf(s))
	case "process_batch":
		var requests []kvc.Request
		for _, one := range s["requests"].([]any) {
			requests = append(requests, requestOf(one.(step)))
		}
		responses, err := e.ProcessBatch(requests)
		answered, whole := []bool{}, ""
		for _, response := range responses {
			if answered = append(answered, response != nil); response != nil {
				whole = response.Text
			}
		}
		return map[string]any{"error": kvc.StatusOf(err).Name(), "answered": answered, "text": whole}, nil
	case "submit":
		return e.Submit(requestOf(s))
	case "poll":
		done, err := e.Poll()
		return len(done), err
	case "step":
		return e.Step()
	case "stats":
		return e.Stats()
	case "tokenize":
		return e.Tokenize(text(s, "text"))
	case "detokenize":
		return e.Detokenize(tokensOf(s))
	case "chat_text":
		var messages []kvc.Message
		for _, m := range s["messages"].([]any) {
			messages = append(messages, kvc.Message{Role: m.([]any)[0].(string), Content: m.([]any)[1].(string)})
		}
		return e.ChatText(messages, s["answer"] != false)
	case "space":
		d := s["desc"].(map[string]any)
		none := kvc.AbsentTokenizer | kvc.AbsentRope | kvc.AbsentAdapters | kvc.AbsentAttention
		switch d["without"] {
		case "rope":
			none &^= kvc.AbsentRope
		case "tokenizer":
			none &^= kvc.AbsentTokenizer
		}
		return e.OpenSpace(kvc.SpaceDesc{Weights: []byte(text(d, "weights")), None: none, Layers: uint32(number(d, "layers")),
			KVHeads: uint32(number(d, "heads")), KHeadDim: uint32(number(d, "dim")), PageTokens: uint32(number(d, "page_tokens"))})
	case "trim":
		return e.Trim(uint64(number(s, "bytes")))
	case "pages":
		pages, err := e.Pages("")
		positions, lengths, ids := []uint64{}, []uint32{}, [][32]byte{}
		for _, p := range pages {
			positions, lengths, ids = append(positions, p.Position), append(lengths, p.NTokens), append(ids, p.Id)
		}
		return map[string]any{"count": len(pages), "positions": positions, "n_tokens": lengths, "codec": pages[0].Codec, "ids": ids}, err
	case "page_tokens":
		return e.PageTokens(r.pageID(s))
	case "page_info":
		return e.PageInfo(r.pageID(s))
	case "put":
		return nil, e.Put(tenant, key, kvc.Of(halves(shapeOf(s)), shapeOf(s)...))
	case "get":
		data, shape, err := kvc.Get[float32](e, tenant, key)
		if shape != nil && !reflect.DeepEqual(data, halves(shape)) {
			return nil, fmt.Errorf("other numbers: %v", data)
		}
		return shape, err
	case "contains":
		return e.Contains(tenant, key)
	case "remove":
		return e.Remove(tenant, key)
	case "persist":
		return e.Persist(-1)
	case "persist_to":
		return e.PersistTo(r.path(s), tenant)
	case "load":
		return e.LoadPages(r.path(s))
	case "pack_open":
		return e.OpenPack(r.path(s))
	case "trace_start":
		return nil, e.TraceStart(r.path(s))
	case "trace_stop":
		return e.TraceStop()
	case "whatif":
		return e.Whatif(uint64(number(s, "budget")), text(s, "policy"))
	case "adapt":
		return nil, e.Adapt(kvc.Metrics{Objective: kvc.Objective(number(s, "objective")), PrefillSpeed: float64(number(s, "prefill_speed"))})
	case "purge":
		return e.Purge(tenant)
	}
	return nil, fmt.Errorf("unknown operation %v", s["do"])
}

// path is a name in a folder of this case's own.
func (r *replay) path(s step) string {
	if _, ok := r.named["folder"]; !ok {
		r.named["folder"] = r.t.TempDir()
	}
	return r.named["folder"].(string) + "/" + text(s, "path")
}

func (r *replay) onSpace(space *kvc.Space, s step) (any, error) {
	switch s["do"] {
	case "space.info":
		return space.Info()
	case "diff":
		return space.Diff(r.named[text(s, "other")].(*kvc.Space))
	case "page_ids":
		ids, err := space.PageIDs("", tokensOf(s))
		return map[string]any{"count": len(ids), "ids": ids}, err
	case "pack_write":
		return space.PackWrite(r.path(s), text(s, "tenant"), tokensOf(s))
	case "session":
		return space.OpenSession(&kvc.SessionOptions{Tenant: text(s, "tenant"), NoPublish: s["publish"] == false})
	}
	return nil, fmt.Errorf("unknown operation %v", s["do"])
}

func (r *replay) onSession(session *kvc.Session, s step) (any, error) {
	n, from, heads, dim := number(s, "n"), number(s, "from"), number(s, "heads"), number(s, "dim")
	switch s["do"] {
	case "session.close":
		return nil, session.CloseWith(kvc.CloseHint(number(s, "hint")), time.Duration(number(s, "until_ns")))
	case "match":
		return session.Match(tokensOf(s))
	case "miss":
		reason, _, err := session.Miss()
		return reason, err
	case "append":
		layer := number(s, "layer")
		return nil, session.Append(layer, r.kvTensor(s, layer, 0), r.kvTensor(s, layer, 1), n)
	case "append_all":
		var k, v []kvc.Tensor
		for layer := range number(s, "layers") {
			k, v = append(k, r.kvTensor(s, layer, 0)), append(v, r.kvTensor(s, layer, 1))
		}
		return nil, session.AppendAll(k, v, n)
	case "commit":
		return nil, session.Commit(tokensOf(s))
	case "read":
		layer, plane := number(s, "layer"), number(s, "plane")
		out := make([]float32, n*heads*dim)
		if err := session.Read(layer, kvc.Plane(plane), from, n, kvc.THD(out, n, heads, dim)); err != nil {
			return nil, err
		}
		if !reflect.DeepEqual(out, kv(layer, plane, from, n, heads, dim)) {
			return nil, fmt.Errorf("other numbers")
		}
		return nil, nil
	case "read_all":
		var planes [2][]kvc.Tensor
		var data [2][][]float32
		for plane := range planes {
			for range number(s, "layers") {
				rows := make([]float32, n*heads*dim)
				data[plane], planes[plane] = append(data[plane], rows), append(planes[plane], kvc.THD(rows, n, heads, dim))
			}
		}
		if err := session.ReadAll(from, n, planes[0], planes[1]); err != nil {
			return nil, err
		}
		for plane := range data {
			for layer, rows := range data[plane] {
				if !reflect.DeepEqual(rows, kv(layer, plane, from, n, heads, dim)) {
					return nil, fmt.Errorf("other numbers")
				}
			}
		}
		return nil, nil
	case "attend":
		layer, qheads := number(s, "layer"), number(s, "query_heads")
		query, out := make([]float32, n*qheads*dim), make([]float32, n*qheads*dim)
		err := session.Attend(layer, kvc.Attend{Window: uint64(number(s, "window"))}, kvc.THD(query, n, qheads, dim), kvc.THD(out, n, qheads, dim))
		if err == nil {
			err = near(out, s["mean_of_tokens"].([]any), layer, heads, dim)
		}
		return nil, err
	case "session.info":
		return session.Info()
	case "session.tokens":
		return session.Tokens(from, n)
	case "truncate":
		return nil, session.Truncate(n)
	case "fork":
		return session.Fork()
	case "pin":
		return nil, session.Pin(s["pinned"] == true)
	case "set_priority":
		return nil, session.SetPriority(kvc.Priority(number(s, "priority")))
	case "hint":
		return nil, session.Hint(kvc.Hint(number(s, "hint")))
	case "expect":
		return nil, session.Expect(time.Duration(number(s, "in_ns")))
	}
	return nil, fmt.Errorf("unknown operation %v", s["do"])
}

// near compares attention of a query of zeros with what it must be: the mean of V over tokens [first, to).
func near(out []float32, span []any, layer, heads, dim int) error {
	first, to := int(span[0].(float64)), int(span[1].(float64))
	values := kv(layer, 1, first, to-first, heads, dim)
	groups := len(out) / dim / heads
	for i, found := range out {
		mean := float32(0)
		for t := range to - first {
			mean += values[(t*heads+i/dim/groups)*dim+i%dim] / float32(to-first)
		}
		if d := found - mean; d > mean/1000 || d < -mean/1000 {
			return fmt.Errorf("attention gives %v, expected %v", found, mean)
		}
	}
	return nil
}
