-- Run once, when the PostgreSQL volume is new. Optuna needs a database of its own: its table of schema versions has the
-- same name as MLflow's.
CREATE DATABASE optuna;
