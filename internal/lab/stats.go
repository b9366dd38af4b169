package lab

import (
	"math"
	"slices"
)

// Quantile returns the q-quantile (0 to 1) of values, which need not be sorted, with
// straight lines between them (Hyndman and Fan's type 7). 0 without values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Mean returns the arithmetic mean, 0 without values.
func Mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	mean := 0.
	for i, v := range values { // grows with no sum that could overflow
		mean += (v - mean) / float64(i+1)
	}
	return mean
}

// Interval returns the half width of the 95 % confidence interval of the mean (Student's
// t). 0 for fewer than two values: nothing is known about the spread then.
func Interval(values []float64) float64 {
	n := len(values)
	if n < 2 {
		return 0
	}
	mean, squares := Mean(values), 0.
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return student(n-1) * math.Sqrt(squares/float64(n-1)/float64(n))
}

// student returns the 0.975 quantile of Student's t distribution: tabulated for few
// degrees of freedom, and for more by Cornish and Fisher's expansion around the normal
// quantile, which is right to four digits from ten on.
func student(freedom int) float64 {
	few := [...]float64{12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281}
	if freedom <= len(few) {
		return few[freedom-1]
	}
	const z = 1.959964
	n := float64(freedom)
	return z + (z*z*z+z)/(4*n) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*n*n) +
		(3*math.Pow(z, 7)+19*math.Pow(z, 5)+17*z*z*z-15*z)/(384*n*n*n)
}

// Jain returns Jain's fairness index of non-negative values: 1 when all are equal, 1/n
// when one has everything. 1 without values, or when all are 0: nobody has more.
func Jain(values []float64) float64 {
	top := 0.
	for _, v := range values {
		top = max(top, v)
	}
	if top == 0 {
		return 1
	}
	sum, squares := 0., 0.
	for _, v := range values {
		v /= top // squares stay in range
		sum, squares = sum+v, squares+v*v
	}
	return sum * sum / (float64(len(values)) * squares)
}

// Gini returns the Gini coefficient of non-negative values: 0 when all are equal, close
// to 1 when one has everything. 0 without values, or when all are 0.
func Gini(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	if n == 0 || sorted[len(sorted)-1] == 0 {
		return 0
	}
	sum, weighted := 0., 0.
	for i, v := range sorted {
		v /= sorted[len(sorted)-1]
		sum += v
		weighted += float64(i+1) * v
	}
	return max(0, 2*weighted/(n*sum)-(n+1)/n)
}
