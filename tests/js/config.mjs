// What the modules read of /api/config. tests/page/test_page_js.py compares it with the server's.

export const CONFIG = {
  browser: { engines: ["pica", "canvas"], formats: ["png", "jpeg", "webp"] },
  decode_requests: { warmups: 1, repeats: 20 },
  label_columns: { file: ["file", "filename", "path", "name", "image"], label: ["label", "class", "true_label", "wnid"] },
  needs_token: false,
  offered_sizes_px: [2048, 1024, 512, 256, 128, 64, 32],
  ranges: {
    sizes_px: [16, 8192], jpeg_qualities: [1, 100], webp_qualities: [1, 100], avif_qualities: [1, 100], warmups: [0, 100],
    repeats: [1, 1000], timeout_s: [0, 600], max_p50_ms: [0, 1e6], max_size_bytes: [1, 1e9], margin_points: [0, 100],
    price_per_hour: [0, 1e6], uplink_mbit_s: [0.01, 1e5],
  },
  samples_for: { p90: 64, p99: 662 },
  few_photos: 0.25,
  system_names: [
    "#recycle", "$recycle.bin", "@eadir", "@recycle", "__macosx", "desktop.ini", "ehthumbs.db", "lost+found",
    "system volume information", "thumbs.db",
  ],
};
