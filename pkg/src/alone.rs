//! What std would bring to the shipped module.

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

/// A list of free blocks, sorted and joined: std's own allocator is seven times its size, and faster with many more
/// blocks than a payer ever holds.
#[global_allocator]
// SAFETY: an instance of this module has one thread: it is built without atomics, and its memory is not shared.
#[expect(unsafe_code, reason = "the promise above is all that the constructor asks for")]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// Nothing here panics; what a dependency does is a trap, which the JavaScript side turns into an error.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
