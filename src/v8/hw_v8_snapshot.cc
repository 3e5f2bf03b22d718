#include "hw_v8_snapshot.h"

#include <memory>
#include <new>

#include <node.h>
#include <node_version.h>
#include <v8-platform.h>
#include <v8-profiler.h>
#include <v8.h>

extern "C" {
#include "core/hw_error.h"
}

namespace {

constexpr int kChunkBytes = 1 << 20;
constexpr size_t kMoreHeapBytes = size_t{1} << 30;

v8::Platform* platform_of(hw_v8_platform_t* platform) {
  return reinterpret_cast<v8::Platform*>(platform);
}

class Task final : public v8::Task {
 public:
  Task(void (*run)(void*), void* argument) : run_(run), argument_(argument) {
  }
  void Run() override {
    run_(argument_);
  }

 private:
  void (*run_)(void*);
  void* argument_;
};

/* The names have changed; before Node.js 24 that of all priorities is not
 * public. */
void post(v8::Platform* platform, std::unique_ptr<v8::Task> task) {
#if NODE_MAJOR_VERSION >= 24
  platform->PostTaskOnWorkerThread(v8::TaskPriority::kUserBlocking,
                                   std::move(task));
#else
  platform->CallBlockingTaskOnWorkerThread(std::move(task));
#endif
}

class Progress final : public v8::ActivityControl {
 public:
  explicit Progress(const hw_v8_output_t* output) : output_(output) {
  }
  ControlOption ReportProgressValue(uint32_t, uint32_t) override {
    output_->beat(output_->data);
    return kContinue;
  }

 private:
  const hw_v8_output_t* output_;
};

class Stream final : public v8::OutputStream {
 public:
  explicit Stream(const hw_v8_output_t* output) : output_(output) {
  }
  void EndOfStream() override {
  }
  int GetChunkSize() override {
    return kChunkBytes;
  }
  WriteResult WriteAsciiChunk(char* bytes, int length) override {
    output_->bytes(output_->data, bytes, static_cast<size_t>(length));
    return kContinue;
  }

 private:
  const hw_v8_output_t* output_;
};

/* Collections close to the limit count as ineffective, and end a process that
 * has memory enough to take a snapshot. */
size_t on_near_limit(void*, size_t current, size_t) {
  return current + kMoreHeapBytes;
}

}  // namespace

hw_v8_platform_t* hw_v8_platform(void) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  if (isolate == nullptr) return nullptr;
  v8::HandleScope scope(isolate);
  v8::Local<v8::Context> context = isolate->GetCurrentContext();
  if (context.IsEmpty()) return nullptr;
  node::Environment* environment = node::GetCurrentEnvironment(context);
  if (environment == nullptr) return nullptr;
  v8::Platform* platform = node::GetMultiIsolatePlatform(environment);
  return reinterpret_cast<hw_v8_platform_t*>(platform);
}

unsigned hw_v8_worker_threads(hw_v8_platform_t* platform) {
  int count = platform_of(platform)->NumberOfWorkerThreads();
  return count > 0 ? static_cast<unsigned>(count) : 0;
}

int hw_v8_post(hw_v8_platform_t* platform, unsigned count,
               void (*run)(void* argument), void* argument) {
  for (unsigned i = 0; i < count; i++) {
    std::unique_ptr<v8::Task> task(new (std::nothrow) Task(run, argument));
    if (!task) return HW_ENOMEM;
    post(platform_of(platform), std::move(task));
  }
  return 0;
}

int hw_v8_take_snapshot(const hw_v8_output_t* output) {
  v8::Isolate* isolate = v8::Isolate::GetCurrent();
  v8::HandleScope scope(isolate);
  isolate->AddNearHeapLimitCallback(on_near_limit, nullptr);
  Progress progress(output);
  v8::HeapProfiler::HeapSnapshotOptions options;
  options.control = &progress;
  const v8::HeapSnapshot* snapshot =
      isolate->GetHeapProfiler()->TakeHeapSnapshot(options);
  if (snapshot == nullptr) return HW_ESTATE;
  output->nodes(output->data, static_cast<uint64_t>(snapshot->GetNodesCount()));
  Stream stream(output);
  snapshot->Serialize(&stream, v8::HeapSnapshot::kJSON);
  return 0;
}
