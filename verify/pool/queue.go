package pool

// A queue holds the jobs of one source that wait, in a ring with those of other sources. It exists only while it has jobs.
type queue[R any] struct {
	first, last *Job[R]
	n           int
	prev, next  *queue[R]
}

// enqueue adds j behind the others of its source. With the shard full, the last job of the source that holds most makes room,
// unless that is this source itself: dropped is that job, no longer in flight. It reports false when there is no room for j.
func (s *shard[R]) enqueue(j *Job[R], now int64) (dropped *Job[R], ok bool) {
	q := s.sources[j.Source]
	if q != nil && q.n >= s.opt.PerSource {
		return nil, false
	}
	if s.jobs >= s.room {
		if dropped = s.dropFor(q); dropped == nil {
			return nil, false
		}
		q = s.sources[j.Source]
	}
	if q == nil {
		q = s.open(j)
	}
	j.queuedAt = now
	if q.last == nil {
		q.first = j
	} else {
		q.last.next = j
	}
	q.last = j
	q.n++
	s.jobs++
	s.waiting.Add(1)
	s.fly(j)
	return dropped, true
}

// dropFor takes the newest job of the source with the most jobs, if that has at least two more than q.
func (s *shard[R]) dropFor(q *queue[R]) *Job[R] {
	have := 0
	if q != nil {
		have = q.n
	}
	most := s.turn
	for o := s.turn.next; o != s.turn; o = o.next {
		if o.n > most.n {
			most = o
		}
	}
	if most.n < have+2 {
		return nil
	}
	j := most.last
	before := most.first
	for before.next != j {
		before = before.next
	}
	before.next, most.last = nil, before
	most.n--
	s.jobs--
	s.waiting.Add(-1)
	s.land(j)
	return j
}

// open puts a new queue into the ring, behind all others.
func (s *shard[R]) open(j *Job[R]) *queue[R] {
	q := s.free
	if q == nil {
		q = new(queue[R])
	} else {
		s.free = q.next
	}
	*q = queue[R]{}
	s.sources[j.Source] = q
	if s.turn == nil {
		q.prev, q.next = q, q
		s.turn = q
		return q
	}
	q.prev, q.next = s.turn.prev, s.turn
	q.prev.next, q.next.prev = q, q
	return q
}

// dequeue takes the first job of the source whose turn it is, and gives the turn to the next. nil when none waits.
func (s *shard[R]) dequeue() *Job[R] {
	q := s.turn
	if q == nil {
		return nil
	}
	j := q.first
	q.first = j.next
	j.next = nil
	q.n--
	s.jobs--
	s.waiting.Add(-1)
	s.turn = q.next
	if q.n == 0 {
		q.last = nil
		s.close(q, j)
	}
	return j
}

// close takes the empty queue of j's source out of the ring.
func (s *shard[R]) close(q *queue[R], j *Job[R]) {
	delete(s.sources, j.Source)
	if q.next == q {
		s.turn = nil
	} else {
		q.prev.next, q.next.prev = q.next, q.prev
		if s.turn == q {
			s.turn = q.next
		}
	}
	q.prev, q.next = nil, s.free
	s.free = q
}
