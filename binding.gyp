{
  'variables': {
    # 1: AddressSanitizer and UndefinedBehaviorSanitizer; the Node.js that loads
    # such a binary needs libasan preloaded. `npm run sanitize:js` does both.
    'hw_sanitize%': 0,
    # Which heapwatch this is: lib/build.js says so, from package.json. A binary
    # carries it, and lib/native.js refuses one of another version.
    'hw_version%': '',
    # Whether the C library is glibc: that of the Node.js which builds.
    'hw_glibc%': "<!(node -p \"process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime ? 1 : 0\")",
  },
  'targets': [
    {
      'target_name': 'heapwatch',
      # node-addon-api's target finds Node-API's headers, turns C++ exceptions
      # off and makes its warnings errors. The C code includes <node_api.h>.
      'dependencies': [
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api",
      ],
      'sources': [
        'src/compat/hw_glibc.c',
        'src/core/hw_buckets.c',
        'src/core/hw_counters.c',
        'src/core/hw_error.c',
        'src/core/hw_event_json.c',
        'src/core/hw_evidence.c',
        'src/core/hw_gate.c',
        'src/core/hw_gc.c',
        'src/core/hw_histogram.c',
        'src/core/hw_json_writer.c',
        'src/core/hw_leak.c',
        'src/core/hw_leak_judge.c',
        'src/core/hw_leak_window.c',
        'src/core/hw_monitor.c',
        'src/core/hw_pressure.c',
        'src/core/hw_recorder.c',
        'src/core/hw_recorder_format.c',
        'src/core/hw_recorder_reader.c',
        'src/core/hw_replay.c',
        'src/core/hw_ring.c',
        'src/core/hw_series.c',
        'src/core/hw_shape.c',
        'src/core/hw_sites.c',
        'src/core/hw_sites_functions.c',
        'src/core/hw_sites_json.c',
        'src/core/hw_sites_rank.c',
        'src/core/hw_trace.c',
        'src/core/hw_trend.c',
        'src/snapshot/hw_snapshot_anchor.c',
        'src/snapshot/hw_snapshot_classes.c',
        'src/snapshot/hw_snapshot_compare.c',
        'src/snapshot/hw_snapshot_describe.c',
        'src/snapshot/hw_snapshot_diff.c',
        'src/snapshot/hw_snapshot_distances.c',
        'src/snapshot/hw_snapshot_dominators.c',
        'src/snapshot/hw_snapshot_edges.c',
        'src/snapshot/hw_snapshot_file.c',
        'src/snapshot/hw_snapshot_header.c',
        'src/snapshot/hw_snapshot_holders.c',
        'src/snapshot/hw_snapshot_json.c',
        'src/snapshot/hw_snapshot_match.c',
        'src/snapshot/hw_snapshot_memory.c',
        'src/snapshot/hw_snapshot_nodes.c',
        'src/snapshot/hw_snapshot_open.c',
        'src/snapshot/hw_snapshot_own.c',
        'src/snapshot/hw_snapshot_phrase.c',
        'src/snapshot/hw_snapshot_read.c',
        'src/snapshot/hw_snapshot_retainers.c',
        'src/snapshot/hw_snapshot_reverse.c',
        'src/snapshot/hw_snapshot_shapes.c',
        'src/snapshot/hw_snapshot_statistics.c',
        'src/snapshot/hw_snapshot_strings.c',
        'src/snapshot/hw_snapshot_summary.c',
        'src/snapshot/hw_snapshot_text.c',
        'src/snapshot/hw_snapshot_tree.c',
        'src/snapshot/hw_snapshot_trie.c',
        'src/snapshot/hw_snapshot_why.c',
        'src/uv/hw_memory.c',
        'src/uv/hw_notifier.c',
        'src/uv/hw_sampler.c',
        'src/v8/hw_v8.cc',
        'src/v8/hw_v8_sites.cc',
        'src/v8/hw_v8_snapshot.cc',
        'src/napi/check.c',
        'src/napi/environment.c',
        'src/napi/heap_snapshot.c',
        'src/napi/leak.c',
        'src/napi/module.c',
        'src/napi/objects.c',
        'src/napi/recorder.c',
        'src/napi/recording.c',
        'src/napi/recording_read.c',
        'src/napi/sites.c',
        'src/napi/snapshot.c',
        'src/napi/watch.c',
        'src/napi/watch_methods.c',
        'src/napi/watch_sites.c',
        'src/napi/write.c',
      ],
      'include_dirs': ['src'],
      'defines': ['HW_VERSION="<(hw_version)"'],
      'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
      'cflags_c': ['-std=gnu11'],
      # V8's own headers are not free of these under GCC.
      'cflags_cc': ['-Wno-unused-parameter', '-Wno-cast-function-type'],
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'src/fork/hw_fork_child.c',
            'src/fork/hw_fork_file.c',
            'src/fork/hw_fork_parent.c',
            'src/fork/hw_fork_job.c',
            'src/fork/hw_fork_memory.c',
            'src/fork/hw_fork_park.c',
            'src/fork/hw_fork_prepare.c',
            'src/fork/hw_fork_regions.c',
            'src/fork/hw_fork_sandbox.c',
            'src/os/hw_recorder_file_linux.c',
          ],
          # nodelete: a Worker's exit unloads addons while V8 may still be
          # unwinding through them. lazy: a binary of another ABI can be loaded
          # far enough to say what is wrong with it.
          'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,lazy'],
        }, {
          'sources': ['src/fork/hw_fork_other.c', 'src/os/hw_recorder_file_other.c'],
        }],
        # Functions of glibc in their oldest version.
        ['hw_glibc==1', {
          'cflags': ['-include', 'compat/hw_glibc.h'],
        }],
        ['hw_sanitize==1', {
          'cflags': ['-fsanitize=address,undefined', '-fno-omit-frame-pointer', '-g'],
          # UBSan's runtime inside the addon and unseen: as a library of its own
          # beside ASAN's it would write to stderr whatever its log_path says.
          'ldflags': [
            '-fsanitize=address,undefined',
            '-static-libubsan',
            '-Wl,--exclude-libs,libubsan.a',
          ],
        }],
      ],
    },
  ],
}
