BEGIN TRANSACTION;
CREATE TABLE blobs (
  run_id VARCHAR(32) NOT NULL,
  name VARCHAR(64) NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (run_id, name, part),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "blobs" VALUES('31166e982ede14f2','original',0,X'89504E470D0A1A0A0000000D49484452000000280000001E0802000000D1BFCB8A0000002E49444154789CEDCD310100300800A0B9344634A2B1ACE0E7030588AE7C17FEC92A168BC562B1582C168BC5E29501A74D01A4246C1E690000000049454E44AE426082');
INSERT INTO "blobs" VALUES('31166e982ede14f2','24-png',0,X'89504E470D0A1A0A0000000D4948445200000018000000120802000000CE8E89C90000003449444154785E633E51A191622392622392622392622392422E624EB11161606060A0188C1A346AD0A841A30681DC4701A69AD70011201DBF3BAD08F50000000049454E44AE426082');
CREATE TABLE claims (
  run_id VARCHAR(32) NOT NULL,
  owner VARCHAR(32) NOT NULL,
  seen_at FLOAT NOT NULL,
  is_next BOOLEAN NOT NULL,
  is_cancelled BOOLEAN NOT NULL,
  PRIMARY KEY (run_id),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE events (
  run_id VARCHAR(32) NOT NULL,
  seq INTEGER NOT NULL,
  kind VARCHAR(16) NOT NULL,
  data TEXT NOT NULL,
  scores TEXT,
  PRIMARY KEY (run_id, seq),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "events" VALUES('31166e982ede14f2',1,'source','{"name": "red.png", "sha256": "217036355bce4d7c49a6b445d6143317e41b6a3b19b08eddfc167246c17a48d5", "media_type": "image/png", "size_bytes": 103, "width_px": 40, "height_px": 30, "exif_orientation": 1, "decode_ms": 0.27290899999998786, "notes": [], "true_label": null, "original": null, "skipped_sizes_px": [], "requests_planned": 14}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',2,'state','{"state": "running", "position": 0, "text": "Making the variants."}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',3,'variant','{"id": "original", "size_px": 40, "width_px": 40, "height_px": 30, "format": "png", "quality": null, "encoder": "as uploaded", "size_bytes": 103, "sha256": "217036355bce4d7c49a6b445d6143317e41b6a3b19b08eddfc167246c17a48d5", "decode_ms": 0.27290899999998786, "resize_ms": null, "encode_ms": null, "made_in": "server", "is_reference": true, "subsampling": null, "resampler": null, "engine": null, "channels": null, "canvas_noise": null, "psnr_db": null, "largest_difference": null, "percent_of_original": null, "picture": "original"}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',4,'progress','{"done": 0, "planned": 14, "failed": 0, "not_sent": 0, "text": "Making 2 variants (1 done)", "eta_s": null}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',5,'variant','{"id": "24-png", "size_px": 24, "width_px": 24, "height_px": 18, "format": "png", "quality": null, "encoder": "Average filter + isal level 3", "size_bytes": 109, "sha256": "b244dc7945b7e4d002b94815c7f198aec3efb349ef596fa9b47298a6b4de93b8", "decode_ms": 0.27290899999998786, "resize_ms": 0.11063599999999729, "encode_ms": 0.40779200000000004, "made_in": "server", "is_reference": false, "subsampling": null, "resampler": "lanczos", "engine": null, "channels": 3, "canvas_noise": null, "psnr_db": null, "largest_difference": null, "percent_of_original": null, "picture": "24-png"}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',6,'progress','{"done": 0, "planned": 14, "failed": 0, "not_sent": 0, "text": "Making 2 variants (2 done)", "eta_s": null}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',7,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 0, "is_warmup": true, "started_at": 1796094556.039713, "latency_ms": 4.702796999481507, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',8,'progress','{"done": 1, "planned": 14, "failed": 0, "not_sent": 0, "text": "Warming up eye", "eta_s": null}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',9,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 0, "is_warmup": true, "started_at": 1796094556.044545, "latency_ms": 2.098629003739916, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',10,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 0, "is_warmup": false, "started_at": 1796094556.046718, "latency_ms": 1.0677620011847466, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',11,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 0, "is_warmup": false, "started_at": 1796094556.047817, "latency_ms": 0.9506170026725158, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',12,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 1, "is_warmup": false, "started_at": 1796094556.0488317, "latency_ms": 0.9015430114232004, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',13,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 1, "is_warmup": false, "started_at": 1796094556.0497549, "latency_ms": 0.7756639970466495, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',14,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 2, "is_warmup": false, "started_at": 1796094556.0505848, "latency_ms": 0.7594199996674433, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',15,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 2, "is_warmup": false, "started_at": 1796094556.0513675, "latency_ms": 1.1439859954407439, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',16,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 3, "is_warmup": false, "started_at": 1796094556.0525608, "latency_ms": 0.8927500020945445, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',17,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 3, "is_warmup": false, "started_at": 1796094556.0534692, "latency_ms": 3.0800620006630197, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',18,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 4, "is_warmup": false, "started_at": 1796094556.0566, "latency_ms": 0.6902460008859634, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',19,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 4, "is_warmup": false, "started_at": 1796094556.0573046, "latency_ms": 0.6791089981561527, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',20,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 5, "is_warmup": false, "started_at": 1796094556.0580258, "latency_ms": 0.6419830024242401, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',21,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 5, "is_warmup": false, "started_at": 1796094556.058681, "latency_ms": 0.5598509887931868, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',22,'progress','{"done": 14, "planned": 14, "failed": 0, "not_sent": 0, "text": "14 of 14: 40 px PNG on eye", "eta_s": 0.0}',NULL);
INSERT INTO "events" VALUES('31166e982ede14f2',23,'end','{"state": "done", "text": "Done in 0 s. 14 requests, 0 failed."}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',1,'source','{"skipped_sizes_px": [], "requests_planned": 6}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',2,'state','{"state": "running", "position": 0, "text": "Warming up."}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',3,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 0, "is_warmup": true, "started_at": 1796094557.5238419, "latency_ms": 1.661172995227389, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',4,'progress','{"done": 1, "planned": 6, "failed": 0, "not_sent": 0, "text": "Warming up eye", "eta_s": null}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',5,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 0, "is_warmup": true, "started_at": 1796094557.5255487, "latency_ms": 0.6965659995330498, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',6,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 0, "is_warmup": false, "started_at": 1796094557.5263112, "latency_ms": 0.5904360004933551, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',7,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 0, "is_warmup": false, "started_at": 1796094557.5269244, "latency_ms": 0.5273910064715892, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',8,'measurement','{"variant_id": "original", "backend_name": "eye", "attempt": 1, "is_warmup": false, "started_at": 1796094557.5275047, "latency_ms": 0.5238369922153652, "prediction": {"top": [{"label": "red", "score": 0.699999988079071}, {"label": "green", "score": 0.20000000298023224}, {"label": "blue", "score": 0.10000000149011612}], "request_bytes": 154, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',9,'measurement','{"variant_id": "24-png", "backend_name": "eye", "attempt": 1, "is_warmup": false, "started_at": 1796094557.5280433, "latency_ms": 0.5460389947984368, "prediction": {"top": [{"label": "blue", "score": 0.699999988079071}, {"label": "red", "score": 0.20000000298023224}, {"label": "green", "score": 0.10000000149011612}], "request_bytes": 161, "response_bytes": 67, "server_ms": {}, "peer": null, "model_version": 1, "distribution": null, "batch": null}, "failure": null, "asked_for": "predict", "late_ms": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',10,'progress','{"done": 6, "planned": 6, "failed": 0, "not_sent": 0, "text": "6 of 6: 24-png on eye", "eta_s": 0.0}',NULL);
INSERT INTO "events" VALUES('05b396d648211128',11,'end','{"state": "done", "text": "Done in 0 s. 6 requests, 0 failed."}',NULL);
CREATE TABLE follow_ups (
  run_id VARCHAR(32) NOT NULL,
  of_run VARCHAR(32) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  PRIMARY KEY (run_id),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "follow_ups" VALUES('05b396d648211128','31166e982ede14f2','repeats');
CREATE TABLE runs (
  number INTEGER NOT NULL,
  id VARCHAR(32) NOT NULL,
  state VARCHAR(16) NOT NULL,
  name TEXT NOT NULL,
  created_at FLOAT NOT NULL,
  finished_at FLOAT,
  "plan" TEXT NOT NULL,
  backends TEXT NOT NULL,
  environment TEXT NOT NULL,
  failure TEXT,
  requests_planned INTEGER NOT NULL,
  requests_done INTEGER NOT NULL,
  requests_failed INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  size_bytes BIGINT NOT NULL,
  headline TEXT,
  PRIMARY KEY (number),
  UNIQUE (id)
);
INSERT INTO "runs" VALUES(1,'31166e982ede14f2','done','red.png',1.79609455597840404509e+09,1.79609455646361827847e+09,'{"sizes_px": [24], "formats": ["png"], "warmups": 1, "repeats": 6, "order": "auto", "seed": 3, "timeout_s": 60.0, "backend_names": null, "max_p50_ms": null, "max_size_bytes": null, "keep_top1": true, "margin_points": null, "jpeg_qualities": [85], "webp_qualities": [80], "avif_qualities": [65], "subsamplings": ["4:2:0"], "resamplers": ["lanczos"], "resize_in": "server", "browser_engines": ["pica"], "split_decode": null, "copies": "in_advance", "uplink_mbit_s": 10.0}','[{"name": "eye", "protocol": "grpc", "address": "127.0.0.1:46543", "model": "inception", "signature": "predict_images", "input_key": "images", "version": 3, "device": "unknown", "cpus": null, "cores": null, "embedded": false, "price_per_hour": null, "state": "ready", "detail": "Ready. Round trip 0.3 ms.", "runtime": null, "precision": null, "isa": null, "device_name": null, "device_memory_bytes": null, "replicas": null, "reads": ["image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp", "image/avif"], "decode_signature": null, "decode_output": null, "workers": null, "batch_size": null, "model_servers": null, "added_as": null}]','{"app_version": "0.1.0", "python": "3.11.7", "platform": "Linux-6.12.0-x86_64-with-glibc2.36", "cpu_model": "AMD EPYC", "cpu_count": 2, "load_1m": 6.5, "memory_mb": 24105, "pillow": "13.0.0", "libjpeg_turbo": "3.2.0", "clock_resolution_us": 0.001, "started_at": "2026-12-01T03:09:15Z", "heartbeat_max_ms": 8.17, "heartbeat_late_share": 0.0}',NULL,14,14,0,23,9390,'For this photo: the original (40 px PNG) on eye (0.72 ms). Answer: red.');
INSERT INTO "runs" VALUES(2,'05b396d648211128','done','red.png',1.79609455740067458151e+09,1.79609455789057493213e+09,'{"sizes_px": [24], "formats": ["png"], "warmups": 1, "repeats": 2, "order": "auto", "seed": 4, "timeout_s": 60.0, "backend_names": null, "max_p50_ms": null, "max_size_bytes": null, "keep_top1": true, "margin_points": null, "jpeg_qualities": [85], "webp_qualities": [80], "avif_qualities": [65], "subsamplings": ["4:2:0"], "resamplers": ["lanczos"], "resize_in": "server", "browser_engines": ["pica"], "split_decode": null, "copies": "in_advance", "uplink_mbit_s": 10.0}','[{"name": "eye", "protocol": "grpc", "address": "127.0.0.1:46543", "model": "inception", "signature": "predict_images", "input_key": "images", "version": 3, "device": "unknown", "cpus": null, "cores": null, "embedded": false, "price_per_hour": null, "state": "ready", "detail": "Ready. Round trip 0.3 ms.", "runtime": null, "precision": null, "isa": null, "device_name": null, "device_memory_bytes": null, "replicas": null, "reads": ["image/jpeg", "image/png", "image/gif", "image/bmp", "image/webp", "image/avif"], "decode_signature": null, "decode_output": null, "workers": null, "batch_size": null, "model_servers": null, "added_as": null}]','{"app_version": "0.1.0", "python": "3.11.7", "platform": "Linux-6.12.0-x86_64-with-glibc2.36", "cpu_model": "AMD EPYC", "cpu_count": 2, "load_1m": 6.5, "memory_mb": 24105, "pillow": "13.0.0", "libjpeg_turbo": "3.2.0", "clock_resolution_us": 0.001, "started_at": "2026-12-01T03:09:17Z", "heartbeat_max_ms": 84.73, "heartbeat_late_share": 0.3333}',NULL,6,6,0,11,3413,NULL);
CREATE TABLE thumbs (
  run_id VARCHAR(32) NOT NULL,
  "key" VARCHAR(64) NOT NULL,
  media_type VARCHAR(32) NOT NULL,
  width_px INTEGER NOT NULL,
  height_px INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (run_id, "key"),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "thumbs" VALUES('31166e982ede14f2','original','image/webp',40,30,X'524946461E000000574542505650384C110000002F274007000750BC2217A5FF8188E87F0000');
INSERT INTO "thumbs" VALUES('31166e982ede14f2','24-png','image/webp',24,18,X'524946461E000000574542505650384C110000002F174004000750BC2217A5FF8188E87F0000');
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX ix_follow_ups_of_run ON follow_ups (of_run);
COMMIT;
