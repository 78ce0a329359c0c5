;; GPUs are scarce: a container that asks for some goes where the fewest stay free, and one that asks for none goes where
;; no GPU is, so that whole machines stay free for what needs all of their GPUs.
;;
;; The table has a row of 16 numbers (f64) for each node; docs/plugins.md says what they are. Column 0 is the answer:
;; points from 0 to 100, or less than 0 for a refusal.
(module
  (memory (export "memory") 1)

  ;; Room for the table, from the second page on; the module works on one question and is thrown away.
  (func (export "alloc") (param $bytes i32) (result i32)
    (drop (memory.grow
      (i32.div_u (i32.add (local.get $bytes) (i32.const 65535)) (i32.const 65536))))
    (i32.const 65536))

  (func $points (param $asked f64) (param $gpus f64) (param $held f64) (param $active f64) (result f64)
    (local $left f64)
    (if (f64.eq (local.get $asked) (f64.const 0))
      (then
        ;; Without GPUs: 50 points, and up to 50 more the fewer containers run; with GPUs half of that.
        (return (f64.div
          (f64.add (f64.const 50)
            (f64.div (f64.const 50) (f64.add (f64.const 1) (local.get $active))))
          (select (f64.const 2) (f64.const 1) (f64.gt (local.get $gpus) (f64.const 0)))))))
    (local.set $left (f64.sub (f64.sub (local.get $gpus) (local.get $held)) (local.get $asked)))
    (if (f64.lt (local.get $left) (f64.const 0))
      (then (return (f64.const -1))))
    ;; 100 when none is left free, ever less the more are.
    (f64.div (f64.const 100) (f64.add (f64.const 1) (local.get $left))))

  (func (export "score") (param $table i32) (param $rows i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $rows)))
        (f64.store (local.get $table)
          (call $points
            (f64.load offset=112 (local.get $table))    ;; 14: GPUs asked for
            (f64.load offset=56 (local.get $table))     ;; 7: GPUs there
            (f64.load offset=64 (local.get $table))     ;; 8: GPUs held
            (f64.load offset=48 (local.get $table))))   ;; 6: containers that run
        (local.set $table (i32.add (local.get $table) (i32.const 128)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $next)))))
