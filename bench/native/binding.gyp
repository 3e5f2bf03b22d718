{
  'targets': [
    {
      'target_name': 'bench',
      # As the addon that is measured: the same settings, so the same cost.
      'dependencies': [
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api",
      ],
      'sources': ['bench.cc'],
      'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
      'cflags_cc': ['-Wno-unused-parameter', '-Wno-cast-function-type'],
      'conditions': [
        ['OS=="linux"', {
          'ldflags': ['-Wl,-z,nodelete'],
        }],
      ],
    },
  ],
}
