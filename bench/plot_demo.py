"""Draws the demo's figures as one SVG, with nothing but the standard library."""
from html import escape

WIDTH, HEIGHT = 1120, 520
TOP, BOTTOM = 116, 440             # of both plots
WITH, WITHOUT = "#1b7f5c", "#c9653b"
CACHED, COMPUTED = "#8fcdb5", "#1b4f72"
INK, PALE = "#222222", "#dddddd"


class Svg:
    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=13, anchor="start", weight="normal", rotate=None):
        turn = f' transform="rotate({rotate} {x:.1f} {y:.1f})"' if rotate is not None else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'font-weight="{weight}" fill="{INK}"{turn}>{escape(words)}</text>')

    def bar(self, x, y, width, height, colour, title):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(height, 0):.1f}" '
                          f'fill="{colour}"><title>{escape(title)}</title></rect>')

    def line(self, x1, y1, x2, y2, colour):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>')

    def document(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
                f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
                f'<rect width="100%" height="100%" fill="#ffffff"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def ticks(largest):
    """Round steps from 0 to just above the largest value, about five of them."""
    if largest <= 0:
        return [0, 1]
    step = 1e-9
    while largest / step > 6:
        for factor in (2, 2.5, 2):      # 1, 2, 5, 10, 20 ...
            step *= factor
            if largest / step <= 6:
                break
    count = int(largest / step) + 1
    return [step * i for i in range(count + 1)]


def panel(svg, left, right, title, y_label, steps, n, form):
    """Axes of one plot; gives back the functions from a value and a bar's index to coordinates."""
    def y(value):
        return BOTTOM - (BOTTOM - TOP) * value / steps[-1]

    def x(index):
        return left + (right - left) * (index + 0.5) / n

    svg.text(left, TOP - 38, title, 15, weight="bold")
    for step in steps:
        svg.line(left, y(step), right, y(step), PALE)
        svg.text(left - 8, y(step) + 4, form(step), 12, "end")
    svg.line(left, BOTTOM, right, BOTTOM, INK)
    for i in range(n):
        svg.text(x(i), BOTTOM + 18, str(i + 1), 12, "middle")
    svg.text((left + right) / 2, BOTTOM + 40, "question", 13, "middle")
    svg.text(left - 54, (TOP + BOTTOM) / 2, y_label, 13, "middle", rotate=-90)
    return x, y


def legend(svg, left, entries):
    for colour, words in entries:
        svg.bar(left, TOP - 27, 12, 12, colour, words)
        svg.text(left + 17, TOP - 17, words, 12)
        left += 17 + 7.2 * len(words) + 14


def draw(model, cold, warm, reused, computed):
    """model: its name. cold, warm: answers to one prompt; reused, computed: those of the conversation, with and without kvc."""
    svg = Svg()
    with_s = [a["total_ns"] / 1e9 for a in reused]
    without_s = [a["total_ns"] / 1e9 for a in computed]
    svg.text(40, 34, f"kvc: {len(reused)} questions over one document, {model}", 20, weight="bold")
    cached, prompt = sum(a["cached_tokens"] for a in reused), sum(a["prompt_tokens"] for a in reused)
    svg.text(40, 56, f"{cached:,} of {prompt:,} prompt tokens came from the cache: {sum(with_s):.2f} s instead of "
             f"{sum(without_s):.2f} s, {sum(without_s) / sum(with_s):.1f} times faster", 14)

    n = len(reused)
    steps = ticks(max(without_s + with_s))
    x, y = panel(svg, 100, 560, "Time to the whole answer", "seconds", steps, n, lambda s: f"{s:.3g}")
    legend(svg, 100, [(WITHOUT, "without kvc"), (WITH, "with kvc")])
    width = 460 / n * 0.36
    for i in range(n):
        svg.bar(x(i) - width, y(without_s[i]), width, BOTTOM - y(without_s[i]), WITHOUT,
                f"{without_s[i]:.3f} s without kvc")
        svg.bar(x(i), y(with_s[i]), width, BOTTOM - y(with_s[i]), WITH, f"{with_s[i]:.3f} s with kvc")

    steps = ticks(max(a["prompt_tokens"] for a in reused))
    x, y = panel(svg, 660, 1090, "Tokens of the prompt, with kvc", "tokens", steps, n, lambda s: f"{s:,.0f}")
    legend(svg, 660, [(COMPUTED, "computed"), (CACHED, "found in the cache")])
    width = 430 / n * 0.66
    for i, answer in enumerate(reused):
        found, fresh = answer["cached_tokens"], answer["computed_tokens"]
        svg.bar(x(i) - width / 2, y(found), width, BOTTOM - y(found), CACHED, f"{found:,} found in the cache")
        svg.bar(x(i) - width / 2, y(found + fresh), width, y(found) - y(found + fresh), COMPUTED, f"{fresh:,} computed")

    svg.text(40, HEIGHT - 18, f"One prompt of {cold['prompt_tokens']:,} tokens twice: first token after "
             f"{cold['ttft_ns'] / 1e9:.3f} s cold, {warm['ttft_ns'] / 1e9:.4f} s warm: "
             f"{cold['ttft_ns'] / max(warm['ttft_ns'], 1):,.0f} times faster.", 13)
    return svg.document()
