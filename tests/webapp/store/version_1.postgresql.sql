CREATE TABLE runs (
  number SERIAL NOT NULL,
  id VARCHAR(32) NOT NULL,
  state VARCHAR(16) NOT NULL,
  name TEXT NOT NULL,
  created_at FLOAT NOT NULL,
  finished_at FLOAT,
  plan TEXT NOT NULL,
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
CREATE INDEX runs_by_state ON runs (state);
CREATE TABLE blobs (
  run_id VARCHAR(32) NOT NULL,
  name VARCHAR(64) NOT NULL,
  part INTEGER NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (run_id, name, part),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
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
CREATE TABLE follow_ups (
  run_id VARCHAR(32) NOT NULL,
  of_run VARCHAR(32) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  PRIMARY KEY (run_id),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_follow_ups_of_run ON follow_ups (of_run);
CREATE TABLE thumbs (
  run_id VARCHAR(32) NOT NULL,
  key VARCHAR(64) NOT NULL,
  media_type VARCHAR(32) NOT NULL,
  width_px INTEGER NOT NULL,
  height_px INTEGER NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (run_id, key),
  FOREIGN KEY(run_id) REFERENCES runs (id) ON DELETE CASCADE
);
