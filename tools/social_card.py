"""Draw static/social-card.png, which others show beside a link to the page: python -m tools.social_card

A browser draws it, with the page's own colours. It holds no numbers: nothing was measured.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import sync_playwright

from tools import chromium

CARD = Path(__file__).resolve().parent.parent / "static" / "social-card.png"
WIDTH_PX, HEIGHT_PX = 1200, 630
CONTENT = """\
<!doctype html><html lang="en"><meta charset="utf-8"><style>
  body { margin: 0; width: 1200px; height: 630px; box-sizing: border-box; padding: 72px 80px;
    display: flex; gap: 40px; background: #0d0f11; color: #e6e9ec;
    font: 400 34px/1.35 "DejaVu Sans", Verdana, sans-serif; }
  main { flex: 1; display: flex; flex-direction: column; justify-content: space-between; }
  h1 { margin: 0; font-size: 40px; display: flex; align-items: center; gap: 20px; }
  h1 svg { width: 64px; height: 64px; }
  p { margin: 0; color: #9aa4ae; font-size: 28px; }
  .question { color: inherit; font-size: 52px; font-weight: 700; line-height: 1.22; }
  .steps { align-self: center; fill: #56b4e9; }
</style><body><main>
  <h1><svg viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#56b4e9"/>
    <path fill="#0a1a24" d="M6 8h12v12H6zM20 14h6v6h-6zM20 22h3v3h-3z"/></svg>Pixelcost</h1>
  <p class="question">Which image size, format and hardware should you serve your classifier with?</p>
  <p>Drop a photo. See what each choice costs.</p>
</main>
<svg class="steps" viewBox="0 0 300 468" width="300" height="468">
  <rect x="60" y="0" width="240" height="240" rx="10"/>
  <rect x="180" y="256" width="120" height="120" rx="8" opacity="0.85"/>
  <rect x="240" y="392" width="60" height="60" rx="6" opacity="0.7"/>
</svg></body></html>
"""


def main() -> None:
    """Write the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        page.set_content(CONTENT)
        page.screenshot(path=CARD)
        browser.close()
    print(f"wrote {CARD.name} ({CARD.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
