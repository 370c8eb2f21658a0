// SPDX-License-Identifier: MIT

// What a pair of Get and Put costs with Go's sync.Pool: the program of main.c,
// in Go. Usage and output are the same.
//
// There is a pool for each power of two, of pointers to slices, since a slice
// itself would be allocated anew by each Put.
package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	page     = 4096
	burstLen = 64
	live     = 64
	choices  = 4096
	ringSize = 256
	spins    = 1024
	absent   = 4
	batch    = 500 * time.Microsecond
	warmup   = 30 * time.Millisecond

	processCPU = 2 // CLOCK_PROCESS_CPUTIME_ID
	threadCPU  = 3 // CLOCK_THREAD_CPUTIME_ID
)

var (
	pools     [64]sync.Pool
	blockSize int
	touched   int // of each block, as a mask: nothing or all of it
)

func fail(status int, what ...any) {
	fmt.Fprintln(os.Stderr, what...)
	os.Exit(status)
}

func cpuTime(clock uintptr) time.Duration {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}

var cpus []int

func findCPUs() {
	var set [128]byte
	n, _, _ := syscall.Syscall(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(len(set)), uintptr(unsafe.Pointer(&set)))
	for cpu := 0; cpu < int(n)*8; cpu++ {
		if set[cpu/8]>>(cpu%8)&1 != 0 {
			cpus = append(cpus, cpu)
		}
	}
}

// pin makes the goroutine a thread, on its processor.
func pin(index int) {
	var set [128]byte
	cpu := cpus[index%len(cpus)]
	set[cpu/8] = 1 << (cpu % 8)
	runtime.LockOSThread()
	syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(set)), uintptr(unsafe.Pointer(&set)))
}

func poolOf(size int) *sync.Pool {
	return &pools[bits.Len(uint(size-1))]
}

func openPools() {
	for i := range pools {
		size := 1 << i
		pools[i].New = func() any {
			block := make([]byte, size)
			return &block
		}
	}
}

func get(pool *sync.Pool) *[]byte {
	return pool.Get().(*[]byte)
}

func writePages(block []byte, size int) {
	for i := 0; i < size; i += page {
		binary.LittleEndian.PutUint64(block[i:], uint64(i))
	}
}

var sink uint64

func readPages(block []byte, size int) {
	var sum uint64
	for i := 0; i < size; i += page {
		sum += binary.LittleEndian.Uint64(block[i:])
	}
	sink = sum
}

func pair(count int) {
	pool := poolOf(blockSize)
	size := blockSize & touched
	for ; count > 0; count-- {
		block := get(pool)
		writePages(*block, size)
		pool.Put(block)
	}
}

func burst(count int) {
	pool := poolOf(blockSize)
	size := blockSize & touched
	var blocks [burstLen]*[]byte
	for ; count > 0; count -= burstLen {
		for i := range blocks {
			blocks[i] = get(pool)
			writePages(*blocks[i], size)
		}
		for i := range blocks {
			pool.Put(blocks[i])
		}
	}
}

var chosen [choices]struct{ size, slot int }

func choose() {
	state := uint64(88172645463325252)
	next := func() uint64 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return state
	}
	doublings := math.Log2(float64(blockSize) / page)
	for i := range chosen {
		chosen[i].size = int(page * math.Exp2(doublings*0x1p-53*float64(next()>>11)))
		chosen[i].slot = int(next() % live)
	}
}

var slots [live]struct {
	block *[]byte
	pool  *sync.Pool
}
var nextChoice int

func randomSizes(count int) {
	for ; count > 0; count-- {
		choice := &chosen[nextChoice]
		slot := &slots[choice.slot]
		nextChoice = (nextChoice + 1) % choices
		if slot.block != nil {
			slot.pool.Put(slot.block)
		}
		slot.pool = poolOf(choice.size)
		slot.block = get(slot.pool)
		writePages(*slot.block, choice.size&touched)
	}
}

// The ring of ring.h. (Go's atomic stores are sequentially consistent, which is
// what Go has.)
type side struct {
	position, seen uint64
	_              [112]byte
}

var ring struct {
	_                  [128]byte
	producer, consumer side
	slots              [ringSize]*[]byte
}

func wait(s *side, stop uint64) uint64 {
	for n := 1; ; n++ {
		if position := atomic.LoadUint64(&s.position); position != stop {
			return position
		}
		if n%spins == 0 {
			syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
}

func push(block *[]byte) {
	me := &ring.producer
	if me.position-me.seen == ringSize {
		me.seen = wait(&ring.consumer, me.position-ringSize)
	}
	ring.slots[me.position%ringSize] = block
	atomic.StoreUint64(&me.position, me.position+1)
}

func pop() *[]byte {
	me := &ring.consumer
	if me.position == me.seen {
		me.seen = wait(&ring.producer, me.position)
	}
	block := ring.slots[me.position%ringSize]
	atomic.StoreUint64(&me.position, me.position+1)
	return block
}

func produce(count int) {
	pool := poolOf(blockSize)
	size := blockSize & touched
	for ; count > 0; count-- {
		block := get(pool)
		writePages(*block, size)
		push(block)
	}
}

func consume() {
	pool := poolOf(blockSize)
	size := blockSize & touched
	for block := pop(); block != nil; block = pop() {
		readPages(*block, size)
		pool.Put(block)
	}
}

var workloads = map[string]func(int){
	"pair": pair, "burst": burst, "random": randomSizes, "handover": produce,
}

func calibrate(run func(int)) int {
	for count := burstLen; ; count *= 2 {
		start := cpuTime(threadCPU)
		run(count)
		if cpuTime(threadCPU)-start >= batch {
			return count
		}
	}
}

func runBatches(run func(int), count int, howLong time.Duration) (pairs int, elapsed time.Duration) {
	start := time.Now()
	for elapsed < howLong {
		run(count)
		pairs += count
		elapsed = time.Since(start)
	}
	return pairs, elapsed
}

type member struct {
	pairs   int
	elapsed time.Duration
	cpu     time.Duration
}

func measure(run func(int), handover bool, members []member, howLong time.Duration) (wall, cpu float64) {
	// A goroutine alone answers for what else the program does, as collecting
	// garbage; of several each answers for itself.
	clock := uintptr(processCPU)
	if len(members) > 1 {
		clock = threadCPU
	}
	var warm, done sync.WaitGroup
	warm.Add(len(members))
	done.Add(len(members))
	for i := range members {
		go func(i int) {
			pin(i)
			count := calibrate(run)
			runBatches(run, count, warmup)
			warm.Done()
			warm.Wait()
			start := cpuTime(clock)
			members[i].pairs, members[i].elapsed = runBatches(run, count, howLong)
			members[i].cpu = cpuTime(clock) - start
			if handover {
				push(nil)
			}
			done.Done()
		}(i)
	}
	if handover {
		done.Add(1)
		go func() {
			pin(len(members))
			consume()
			done.Done()
		}()
	}
	done.Wait()
	var used time.Duration
	pairs := 0
	for _, m := range members {
		wall += float64(m.elapsed) / float64(m.pairs) / float64(len(members))
		used += m.cpu
		pairs += m.pairs
	}
	return wall, float64(used) / float64(pairs)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value <= 0 {
		fail(1, "not a number of anything:", text)
	}
	return value
}

func main() {
	if len(os.Args) != 6 {
		fail(1, "five arguments are needed")
	}
	run := workloads[os.Args[1]]
	if run == nil {
		fail(absent, "no workload", os.Args[1], "with this peer")
	}
	blockSize = number(os.Args[2])
	members := make([]member, number(os.Args[3]))
	if os.Args[4] == "touch" {
		touched = -1
	}
	findCPUs()
	openPools()
	choose()
	howLong := time.Duration(number(os.Args[5])) * time.Millisecond
	wall, cpu := measure(run, os.Args[1] == "handover", members, howLong)
	fmt.Printf("%.3f %.3f\n", wall, cpu)
}
