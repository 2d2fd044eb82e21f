"""Is it right? The rows of an output folder against a gold file: what `OUTPUT/evaluation.json` says.

    {
      "job": "contracts",
      "gold": "gold.jsonl",                    the file, as it was named
      "output": "out/contracts",
      "output_run_id": "20250131T...",         the last committed run of the folder
      "created_at": "2025-01-31T12:00:00+00:00",
      "task": null,                            what --task chose; null: all tasks of the job
      "tasks": {TASK: {                        tasks of which the gold annotates something
        "n_documents": 37,                     documents of the gold that the folder has: rows, rejects and all
        "n_unmatched": 1,                      those that it has not
        "unmatched": ["d17"],                  the first 50 of them, as the gold names them
        "fields": {FIELD: {                    "term", "address.city", "lines[].amount", "prices{}"
          "n_documents": 37,                   documents of which the field is annotated
          "exact": S, "normalized": S,
          "outcomes": {"correct": 9, "wrong": 1, "omitted": 2, "hallucinated": 0, "absent": 25},    normalized
          "examples": [{"doc_id", "uri", "item", "outcome", "gold", "found"}]    the first 50 that are not right
        }}
      }},
      "answers": {"n_questions": 80, "n_valid": 79, "valid_ratio": V, "n_first_valid": 70, "first_valid_ratio": V,
                  "n_attempts": 95},
      "evidence": {"n_cited": 60, "n_verified": 50, "ratio": V, "n_in_row": 55, "n_in_row_verified": 50,
                   "in_row_ratio": V, "grades": {"exact": 40, ...}, "agreement": {"agrees": 30, ...}},
      "latency_s": {"n": 95, "p50": 1.5, "p95": 3.0, "p99": 4.0, "max": 4.1},    null where there is no answer
      "tokens": {"input": 1, "cached": 1, "output": 1, "n_documents": 40,
                 "per_document": {"input": 0.1, "cached": 0.1, "output": 0.1}},    null where there is no document
      "gates": [{"name": "min_f1", "task": "contract", "field": "term", "limit": 0.8, "found": 0.41, "passes": false,
                 "sentence": "gates.min_f1 is 0.8, and ..."}],    task and field are null for the other gates
      "against": null or {
        "output": "out/before", "output_run_id": "...",
        "tasks": {TASK: {
          "n_documents": 36,                   documents of the gold that both folders have; only these are compared
          "only_now": [FIELD], "only_before": [COLUMN],
          "fields": {FIELD: {
            "before": V, "now": V,             normalized F1 of the common documents
            "difference": V,                   now less before; its interval is of pairs
            "n_better": 3, "n_worse": 1,       documents
            "better": [{"doc_id", "uri", "gold", "before", "now"}], "worse": [...]    the first 50 of each
          }}
        }},
        "latency_s": {"before": {...}, "now": {...}, "p95_ratio": 1.1},
        "tokens": {"before": {...}, "now": {...}, "input_ratio": 1.0, "output_ratio": 1.0},
        "protocol": [{"name": "valid_json" | "acceptable" | "latency", "limit": 1.0, "found": 0.99,
                      "passes": false, "sentence": "..."}]
      }
    }

    S = {"precision": V, "recall": V, "f1": V, "support": n}; support: values that the gold has (not those it has as
    absent). V = [value, low, high]: an interval of 95 %; null instead of V, or of low and high, where undefined.

`item` says which item of a list with `x-key` (or which key of a map) a value belongs to; null for other values.
"""
