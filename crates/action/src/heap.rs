//! The memory of a module that lives for a second or two.
//!
//! Blocks are laid one after the other, in some hundred sizes; what is freed is kept by size for the next
//! of its kind. The general allocator that Rust brings is among the first things that a run compiles and
//! is entered thousands of times, so that V8 compiles it once more, optimised, in the middle of the run
//! (docs/architecture.md has the figures).

#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use crate::room::{GRAIN, SIZES, room};
use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::Cell;

/// Of WebAssembly's memory, in bytes.
const PAGE: usize = 64 * 1024;

struct Heap {
    /// Where the next new block begins, and where the memory that is there ends.
    next: Cell<usize>,
    end: Cell<usize>,
    /// For each size the last block that was freed, which holds the address of the one before it; 0 for none.
    free: [Cell<usize>; SIZES],
}

// SAFETY: the module has one thread; wasm32-unknown-unknown is built without atomics.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    next: Cell::new(0),
    end: Cell::new(0),
    free: [const { Cell::new(0) }; SIZES],
};

impl Heap {
    /// A block that nobody has had, or 0.
    fn fresh(&self, length: usize) -> usize {
        if self.end.get() == 0 {
            // What is there at the start holds the stack and the module's own data.
            self.next.set(memory_size::<0>() * PAGE);
            self.end.set(self.next.get());
        }
        let start = self.next.get();
        match self.reach(start, length) {
            true => start,
            false => 0,
        }
    }

    /// Has new blocks begin `length` after `start`, if there can be memory up to there.
    fn reach(&self, start: usize, length: usize) -> bool {
        let Some(next) = start.checked_add(length) else {
            return false;
        };
        if next > self.end.get() {
            // More at once than is missing: growing gives the host a new view of the memory each time.
            let missing = (next - self.end.get()).div_ceil(PAGE).max(4);
            if memory_grow::<0>(missing) == usize::MAX {
                return false;
            }
            self.end.set(memory_size::<0>() * PAGE);
        }
        self.next.set(next);
        true
    }
}

// SAFETY: a block is as long as its size says, starts at a multiple of [`GRAIN`], and is either new, beyond
// all others, or was freed and taken off the list.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > GRAIN {
            return std::ptr::null_mut();
        }
        let (index, length) = room(layout.size());
        let freed = self.free[index].get();
        if freed == 0 {
            return self.fresh(length) as *mut u8;
        }
        // SAFETY: a freed block is nobody's, and holds the address of the one before it.
        self.free[index].set(unsafe { *(freed as *const usize) });
        freed as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let (index, _) = room(layout.size());
        // SAFETY: the block is given back, and long enough for an address.
        unsafe { *block.cast::<usize>() = self.free[index].get() };
        self.free[index].set(block as usize);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (_, had) = room(layout.size());
        let (_, wanted) = room(size);
        let start = block as usize;
        // The last one grows where it is, which is how a text or a list comes about.
        if wanted <= had || (start + had == self.next.get() && self.reach(start, wanted)) {
            return block;
        }
        // SAFETY: the caller vouches for `size` with this alignment.
        let larger = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: `larger` is not empty, as the caller vouches.
        let moved = unsafe { self.alloc(larger) };
        if !moved.is_null() {
            // SAFETY: both blocks have that many bytes, and the new one overlaps nothing that is in use.
            unsafe { std::ptr::copy_nonoverlapping(block, moved, layout.size()) };
            // SAFETY: nobody has the old one any more.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}
