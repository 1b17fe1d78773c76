// Classes, selectors and method lookup; retain, release and autorelease pools, strictly counted.

#include "runtime.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

namespace softmetal {
namespace {

constexpr uint32_t kMaxSelectors = 8192;
constexpr size_t kQuarantine = 4096;  // freed objects that still know their name

struct Registry {
  std::mutex mutex;
  std::map<std::string, Class, std::less<>> classes;
  std::map<std::string, SEL, std::less<>> selectors;
  std::vector<objc_object*> quarantine = std::vector<objc_object*>(kQuarantine);
  size_t oldest = 0;
};

// Never destroyed: other libraries' destructors may still send messages.
Registry& registry() {
  static auto* r = new Registry;
  return *r;
}

std::atomic<uint64_t> g_live = 0;
std::atomic<uint64_t> g_inherited = 0;  // by a child of fork, which may not touch them

[[gnu::constructor]] void watch_forks() {
  pthread_atfork(nullptr, nullptr, [] { g_inherited = g_live.load(); });
}

IMP* new_table() { return static_cast<IMP*>(std::calloc(kMaxSelectors, sizeof(IMP))); }

Class new_class(const char* name, Class super, Class isa) {
  auto* c = new objc_class;
  c->isa = isa;
  c->super = super;
  c->name = name;
  c->imps = new_table();
  c->methods = new std::unordered_map<SEL, IMP>;
  return c;
}

// Pools of this thread, the innermost last.
struct PoolObject : Object {
  static constexpr const char* kName = "NSAutoreleasePool";
  std::vector<objc_object*> objects;
};

struct PoolStack {
  std::vector<PoolObject*> pools;
  ~PoolStack() {
    if (!pools.empty()) {
      std::fprintf(stderr, "softmetal: pool left open: a thread ends with %zu of them\n",
                   pools.size());
      std::abort();
    }
  }
};
thread_local PoolStack t_pools;

void drain(PoolObject* pool) {
  // Objects may be added while others are freed.
  while (!pool->objects.empty()) {
    objc_object* object = pool->objects.back();
    pool->objects.pop_back();
    release(object);
  }
}

void close_pool(PoolObject* pool) {
  if (t_pools.pools.empty() || t_pools.pools.back() != pool) {
    fail("pool out of order", "an NSAutoreleasePool is released that is not this thread's last");
  }
  drain(pool);
  release(pool);
  t_pools.pools.pop_back();
}

void free_object(objc_object* object) {
  Class c = object->isa;
  // Metal autoreleases what it likes in a dealloc.
  if (t_pools.pools.empty()) {
    fail("missing pool", "the last release of a %s, on a thread without a pool", c->name);
  }
  c->live.fetch_sub(1);
  g_live.fetch_sub(1);
  c->destroy(object);
  object->isa = c->zombie;
  objc_object* old = object;
  {
    Registry& r = registry();
    std::lock_guard lock(r.mutex);
    std::swap(old, r.quarantine[r.oldest]);
    r.oldest = (r.oldest + 1) % kQuarantine;
  }
  ::operator delete(old);
}

}  // namespace

void fail(const char* name, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "softmetal: %s: %s\n", name, text);
  std::abort();
}

Class define_class(const char* name, const char* super) {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  Class base = super ? r.classes.find(super)->second : nullptr;
  Class meta = new_class(name, base ? base->isa : nullptr, nullptr);
  meta->is_meta = true;
  Class c = new_class(name, base, meta);
  c->zombie = new_class(name, nullptr, nullptr);
  c->zombie->is_zombie = true;
  r.classes[name] = c;
  return c;
}

void add_method(Class c, const char* selector, IMP imp) {
  (*c->methods)[sel_registerName(selector)] = imp;
}

void count_birth(Class c) {
  c->live.fetch_add(1);
  g_live.fetch_add(1);
}

void retain(objc_object* object) {
  if (object->isa->is_zombie) fail("use after free", "retain of a freed %s", object->isa->name);
  static_cast<Object*>(object)->references.fetch_add(1, std::memory_order_relaxed);
}

void release(objc_object* object) {
  if (object->isa->is_zombie) fail("over-release", "release of a freed %s", object->isa->name);
  if (static_cast<Object*>(object)->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    free_object(object);
  }
}

void autorelease(objc_object* object) {
  if (object->isa->is_zombie)
    fail("use after free", "autorelease of a freed %s", object->isa->name);
  if (t_pools.pools.empty()) {
    const char* name = object->isa->name;
    fail("missing pool", "%s is autoreleased on a thread that has no NSAutoreleasePool", name);
  }
  t_pools.pools.back()->objects.push_back(object);
}

PoolScope::PoolScope() : pool_(make<PoolObject>()) {
  t_pools.pools.push_back(static_cast<PoolObject*>(pool_));
}
PoolScope::~PoolScope() { close_pool(static_cast<PoolObject*>(pool_)); }

static void define_roots() {
  Class object = define_class("NSObject", nullptr);
  untyped_method(object, "retain", [](Object* o) { return retain(o), o; });
  untyped_method(object, "release", [](Object* o) { release(o); });
  untyped_method(object, "autorelease", [](Object* o) { return autorelease(o), o; });
  untyped_method(object, "retainCount", [](Object* o) { return uint64_t{o->references.load()}; });
  untyped_method(object, "init", [](Object* o) { return o; });
  untyped_method(object, "respondsToSelector:", [](Object* o, SEL selector) {
    for (Class c = o->isa; c; c = c->super) {
      if (c->methods->count(selector)) return true;
    }
    return false;
  });
  untyped_method(object,
                 "methodSignatureForSelector:", [](Object*, SEL) -> void* { return nullptr; });

  Class pool = define_class("NSAutoreleasePool", "NSObject");
  pool->destroy = [](objc_object* o) { static_cast<PoolObject*>(o)->~PoolObject(); };
  untyped_method(pool->isa, "alloc", [](objc_class*) { return make<PoolObject>(); });
  untyped_method(pool, "init", [](PoolObject* p) { return t_pools.pools.push_back(p), p; });
  untyped_method(pool, "release", [](PoolObject* p) { close_pool(p); });
  untyped_method(pool, "drain", [](PoolObject* p) { close_pool(p); });
}

void register_all() {
  static std::once_flag once;
  std::call_once(once, [] {
    define_roots();
    define_foundation();
    define_device();
    define_library();
    define_commands();
  });
}

}  // namespace softmetal

using namespace softmetal;

extern "C" {

SEL sel_registerName(const char* name) {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  auto [it, is_new] = r.selectors.try_emplace(name, nullptr);
  if (is_new) {
    if (r.selectors.size() > kMaxSelectors) fail("too many selectors", "%u", kMaxSelectors);
    it->second =
        new objc_selector{static_cast<uint32_t>(r.selectors.size() - 1), it->first.c_str()};
  }
  return it->second;
}

const char* sel_getName(SEL selector) { return selector->name; }

// metal-cpp looks all its classes up when it is loaded, those that we lack too: what is sent to one
// of these fails by its name.
Class objc_lookUpClass(const char* name) {
  register_all();
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  auto [it, is_new] = r.classes.try_emplace(name, nullptr);
  if (is_new) {
    it->second = new_class(it->first.c_str(), nullptr, nullptr);
    it->second->isa = new_class(it->first.c_str(), nullptr, nullptr);
    it->second->isa->is_meta = true;
  }
  return it->second;
}

Protocol* objc_getProtocol(const char*) { return nullptr; }

// The slow path of objc_msgSend: finds the method and keeps it in the table of the class.
__attribute__((visibility("default"))) IMP softmetal_find_method(objc_object* object,
                                                                 SEL selector) {
  Class c = object->isa;
  if (c->is_zombie) {
    fail(std::strcmp(selector->name, "release") == 0 ? "over-release" : "use after free",
         "-[%s %s] is sent to a freed object", c->name, selector->name);
  }
  for (Class k = c; k; k = k->super) {
    auto found = k->methods->find(selector);
    if (found == k->methods->end()) continue;
    __atomic_store_n(&c->imps[selector->index], found->second, __ATOMIC_RELEASE);
    return found->second;
  }
  fail("unknown selector", "%c[%s %s] is not implemented", c->is_meta ? '+' : '-', c->name,
       selector->name);
}

uint64_t softmetal_live_objects(void) { return g_live; }

char* softmetal_describe_live_objects(void) {
  Registry& r = registry();
  std::lock_guard lock(r.mutex);
  std::string text;
  for (const auto& [name, c] : r.classes) {
    if (uint64_t live = c->live) {
      text += (text.empty() ? "" : ", ") + std::to_string(live) + " " + name;
    }
  }
  return strdup(text.c_str());
}

__attribute__((destructor)) static void check_leaks() {
  const char* leaks = std::getenv("SOFTMETAL_LEAKS");
  if (g_live <= g_inherited || (leaks && std::string_view(leaks) == "ignore")) return;
  std::fprintf(stderr, "softmetal: leak: at the end live %s\n", softmetal_describe_live_objects());
  std::abort();
}

}  // extern "C"
