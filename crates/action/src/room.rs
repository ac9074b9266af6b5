//! The sizes that blocks of memory come in: so few that a freed block soon has a use again, so many that a
//! fourth of it at most goes to waste.

/// Every block starts at a multiple of this many bytes, and is that long at least.
pub const GRAIN: usize = 16;

/// How many sizes there are: four up to 64 bytes, then four to each doubling.
pub const SIZES: usize = 4 + 4 * (usize::BITS as usize - 6);

/// Which of the sizes holds `size` bytes, and how many bytes it is.
pub const fn room(size: usize) -> (usize, usize) {
    let last = size.saturating_sub(1);
    if last < 4 * GRAIN {
        return (last / GRAIN, (last / GRAIN + 1) * GRAIN);
    }
    let doubling = last.ilog2();
    let step = 1 << (doubling - 2);
    let index = 4 + (doubling as usize - 6) * 4 + (last >> (doubling - 2) & 3);
    (index, (last | (step - 1)).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_a_block_that_fits_and_wastes_little() {
        let small = 1..=70_000;
        let large = (17..usize::BITS - 1).flat_map(|bit| {
            let size = 1_usize << bit;
            [
                size - 1,
                size,
                size + 1,
                size + size / 4,
                size + size / 4 + 1,
            ]
        });
        let mut before = (SIZES, 0);
        for size in small.chain(large) {
            let (index, length) = room(size);
            assert!(length >= size && length % GRAIN == 0, "{size}: {length}");
            assert!(length - size < GRAIN.max(size / 4), "{size}: {length}");
            assert_eq!(room(length), (index, length), "{size}");
            assert!(index < SIZES);
            // A larger one never comes to stand among the smaller.
            assert_eq!(before.0 == index, before.1 == length, "{size}");
            before = (index, length);
        }
        assert_eq!(room(usize::MAX).0, SIZES - 1);
        assert_eq!(room(0), room(1));
    }
}
