"""The statistics of anomaly detectors, against SciPy, closed forms and what probabilities have to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats

from sentinelone_collector.detect.anomaly.statistics import (
    DAY_KINDS,
    EARTH_KM,
    GRID,
    Level,
    back_off,
    beta_binomial_tail,
    cauchy_combination,
    count_model,
    daytime_density,
    gamma_poisson_mass,
    gamma_poisson_tail,
    haversine_km,
    hierarchy_lift,
    likelihood_ratio,
    modified_z,
    pooled_dispersion,
    predictive,
    root_probability,
    share_prior,
    speed_kmh,
    tail_probability,
    tail_table,
    unseen_mass,
    week_density,
)

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=12)
SHARE = st.floats(0, 1)


class TestPredictive:
    def test_unseen_mass_is_that_of_chao_and_jost(self) -> None:
        # n = 10, f1 = 2, f2 = 1: 2/10 * (9*2) / (9*2 + 2*1)
        assert unseen_mass([1, 1, 2, 6]) == pytest.approx(0.2 * 18 / 20)

    def test_a_new_value_is_never_impossible_nor_certain(self) -> None:
        assert unseen_mass([]) == unseen_mass([0, 0]) == 1.0
        assert unseen_mass([999]) == pytest.approx(1 / 1000)
        assert unseen_mass([1, 1, 1]) <= 1.0

    @given(COUNTS)
    @settings(max_examples=50)
    def test_unseen_mass_does_not_depend_on_order(self, counts: list[int]) -> None:
        assert unseen_mass(counts) == unseen_mass(counts[::-1])
        assert 0 < unseen_mass(counts) <= 1

    @given(tenant=COUNTS, role=COUNTS, user=COUNTS, strength=st.floats(0.1, 50), space=st.integers(1, 1000))
    @settings(max_examples=100)
    def test_probabilities_sum_to_one_over_values_seen_and_unseen(
        self, tenant: list[int], role: list[int], user: list[int], strength: float, space: int
    ) -> None:
        size = min(len(tenant), len(role), len(user))
        # What a user has, the role and the tenant have, too
        of_user = np.array(user[:size])
        of_role = of_user + role[:size]
        of_tenant = of_role + tenant[:size]
        missing = unseen_mass(of_tenant)
        seen = of_tenant > 0
        root = root_probability(of_tenant[seen], of_tenant.sum(), missing if seen.any() else 1.0, space)
        other = root_probability(0, of_tenant.sum(), missing, space)
        levels = [(of_role[seen], of_role.sum()), (of_user[seen], of_user.sum())]
        known = back_off(levels, root, strength)
        unknown = back_off([(0, of_role.sum()), (0, of_user.sum())], other, strength)
        for one, rest in zip((root, *known), (other, *unknown), strict=True):
            assert np.all((one >= 0) & (one <= 1))
            assert one.sum() + rest * space == pytest.approx(1.0)

    @given(st.integers(0, 100), st.integers(0, 100), SHARE, st.floats(0.1, 50))
    @settings(max_examples=100)
    def test_one_more_observation_never_makes_a_value_less_likely(
        self, count: int, others: int, prior: float, strength: float
    ) -> None:
        before = predictive(count, count + others, prior, strength)
        after = predictive(count + 1, count + others + 1, prior, strength)
        assert after >= before - 1e-12

    def test_without_a_past_the_wider_level_speaks(self) -> None:
        assert predictive(0, 0, 0.3, 5) == pytest.approx(0.3)
        assert back_off([(0, 0), (0, 0)], 0.25)[-1] == pytest.approx(0.25)
        assert hierarchy_lift([Level(0, 0, 0.1), Level(0, 0, 0.01)]) == pytest.approx(1.0)

    def test_a_lift_is_the_quotient_of_back_off_and_tenant(self) -> None:
        # One level: p(x|u) / p(x) with the tenant as the prior
        tenant, count, total, strength = 0.2, 3, 7, 5.0
        expected = predictive(count, total, tenant, strength) / tenant
        assert hierarchy_lift([Level(count, total, tenant)], strength) == pytest.approx(expected)

    def test_a_known_network_makes_a_new_address_less_strange(self) -> None:
        known = hierarchy_lift([Level(40, 40, 0.5), Level(40, 40, 0.4), Level(40, 40, 0.05)])
        same = hierarchy_lift([Level(40, 40, 0.5), Level(40, 40, 0.4), Level(0, 40, 0.05)])
        new_network = hierarchy_lift([Level(35, 40, 0.5), Level(0, 35, 0.4), Level(0, 0, 0.05)])
        new_country = hierarchy_lift([Level(0, 40, 0.1), Level(0, 0, 0.4), Level(0, 0, 0.05)])
        scores = [float(likelihood_ratio([lift])) for lift in (known, same, new_network, new_country)]
        assert scores == sorted(scores)
        assert len(set(scores)) == 4

    def test_in_a_new_country_the_new_address_is_no_further_evidence(self) -> None:
        country = hierarchy_lift([Level(0, 40, 0.1)])
        assert hierarchy_lift([Level(0, 40, 0.1), Level(0, 0, 0.2), Level(0, 0, 0.3)]) == pytest.approx(float(country))

    def test_colleagues_make_a_new_country_less_strange_and_that_once(self) -> None:
        alone, backed = (hierarchy_lift([Level(0, 40, 0.1), Level(0, 0, 0.2)], base=base) for base in (1.0, 4.0))
        assert backed == pytest.approx(4 * float(alone))

    @given(st.lists(st.integers(0, 20), min_size=2, max_size=8), st.floats(0.5, 20), st.floats(0, 0.9))
    @settings(max_examples=50)
    def test_lifts_of_all_values_weigh_up_to_one(self, user: list[int], strength: float, discount: float) -> None:
        own = np.array(user)
        tenant = (own + 1) / (own + 1).sum()
        level = Level(own, own.sum(), tenant, (own > 0).sum(), discount)
        assert (hierarchy_lift([level], strength) * tenant).sum() == pytest.approx(1.0)

    def test_who_often_has_new_addresses_may_have_another(self) -> None:
        settled = hierarchy_lift([Level(0, 40, 0.01, 2, 0.7)])
        roaming = hierarchy_lift([Level(0, 40, 0.01, 38, 0.7)])
        assert roaming > 4 * settled

    def test_a_level_that_is_not_known_says_nothing(self) -> None:
        lift = hierarchy_lift([Level(9, 9, 0.5), Level([0, 0], 9, [math.nan, 0.1])])
        assert lift[0] == pytest.approx(float(hierarchy_lift([Level(9, 9, 0.5)])))
        assert lift[1] < lift[0]

    def test_the_likelihood_ratio_adds_up_features_in_any_order(self) -> None:
        lifts: list[ArrayLike] = [0.5, 2.0, np.array([0.1, 3.0])]
        expected = -np.log(0.5) - np.log(2.0) - np.log([0.1, 3.0])
        assert np.allclose(likelihood_ratio(lifts), expected)
        assert np.allclose(likelihood_ratio(lifts[::-1]), expected)


class TestDaytime:
    def test_the_kernel_is_von_mises(self) -> None:
        counts = np.zeros(24)
        counts[9] = 1  # from nine to ten
        cells = (np.arange(GRID) + 0.5) / GRID * 2 * np.pi
        expected = stats.vonmises.pdf(cells, 8.0, loc=9.5 / 24 * 2 * np.pi)
        assert np.allclose(daytime_density(counts, strength=0.0), expected / expected.sum())

    @given(st.lists(st.integers(0, 30), min_size=48, max_size=48), st.floats(0.1, 20), st.floats(0.1, 40))
    @settings(max_examples=50)
    def test_densities_sum_to_one(self, counts: list[int], strength: float, kappa: float) -> None:
        week = np.array(counts).reshape(2, 24)
        masses = week_density(week, week * 3, kappa=kappa, strength=strength)
        assert masses.shape == (2, GRID)
        assert masses.sum() == pytest.approx(1.0)
        assert (masses > 0).all()
        tail = tail_probability(masses, [0, 0, 1, 1], [0.0, 9.5, 12.0, 23.999])
        assert ((tail > 0) & (tail <= 1)).all()

    def test_midnight_is_no_border(self) -> None:
        counts = np.zeros(24)
        counts[[23, 0]] = 10
        masses = daytime_density(counts)
        assert masses[0] == pytest.approx(masses[-1])
        assert masses[0] > 4 * masses[GRID // 2]

    def test_turning_the_clock_turns_the_density(self) -> None:
        counts = np.arange(24) % 7
        assert np.allclose(np.roll(daytime_density(counts), GRID // 4), daytime_density(np.roll(counts, 6)))

    def test_the_tenant_stands_in_for_a_new_user(self) -> None:
        tenant = np.zeros((2, 24))
        tenant[0, 8:18] = 100
        masses = week_density(np.zeros((2, 24)), tenant)
        night, noon, saturday = tail_probability(masses, [0, 0, 1], [3.0, 12.0, 3.0])
        assert night < 0.05 < noon
        assert saturday < 0.05
        own = np.zeros((2, 24))
        own[0, 2:4] = 40  # someone who works at night
        assert tail_probability(week_density(own, tenant), 0, 3.0) > 0.3

    def test_many_users_at_once_are_as_each_alone(self) -> None:
        rng = np.random.default_rng(1)
        users = rng.poisson(1.0, (5, 2, 24))
        tenant = users.sum(axis=0)
        kinds, hours = rng.integers(0, 2, 5), rng.uniform(0, 24, 5)
        together = tail_probability(week_density(users, tenant), kinds, hours)
        alone = [
            float(tail_probability(week_density(user, tenant), kind, hour))
            for user, kind, hour in zip(users, kinds, hours, strict=True)
        ]
        assert np.allclose(together, alone)

    def test_cells_that_are_equally_dense_have_one_tail(self) -> None:
        even = week_density(np.ones((2, 24)) * np.array([[5.0], [2.0]]), np.ones((2, 24)) * np.array([[5.0], [2.0]]))
        assert np.allclose(tail_table(even), 1.0)
        masses = np.full((2, GRID), 0.0)
        masses[0] = 0.9 / GRID
        masses[1] = 0.1 / GRID
        assert np.allclose(tail_table(masses), [[1.0], [0.1]])

    def test_moments_of_the_density_have_a_uniform_tail(self) -> None:
        rng = np.random.default_rng(7)
        user = np.vstack([rng.poisson(6 * np.exp(-((np.arange(24) - 11) ** 2) / 8)), np.zeros(24)])
        masses = week_density(user, user * 20 + 1)
        flat = rng.choice(2 * GRID, 200_000, p=masses.ravel())
        tails = tail_probability(masses, flat // GRID, (flat % GRID + rng.uniform(size=len(flat))) * 24 / GRID)
        for alpha in (0.05, 0.01, 0.001):
            assert (tails <= alpha).mean() == pytest.approx(alpha, rel=0.25, abs=4 * math.sqrt(alpha / len(flat)))
        assert sum(DAY_KINDS) == 7


class TestCounts:
    @pytest.mark.parametrize("mean", [0.05, 1.0, 40.0])
    @pytest.mark.parametrize("dispersion", [0.02, 0.7, 5.0])
    def test_the_tail_is_that_of_scipy(self, mean: float, dispersion: float) -> None:
        counts = np.arange(200)
        size = 1 / dispersion
        expected = stats.nbinom.sf(counts - 1, size, size / (size + mean))
        assert np.allclose(gamma_poisson_tail(counts, mean, dispersion), expected, rtol=1e-8, atol=1e-300)
        mass = stats.nbinom.pmf(counts, size, size / (size + mean))
        assert np.allclose(gamma_poisson_mass(counts, mean, dispersion), mass, rtol=1e-5, atol=1e-14)

    def test_without_dispersion_it_is_poisson(self) -> None:
        counts = np.arange(60)
        assert np.allclose(gamma_poisson_tail(counts, 9.0, 0.0), stats.poisson.sf(counts - 1, 9.0), rtol=1e-9)

    def test_the_beta_binomial_tail_is_that_of_scipy(self) -> None:
        for trials, a, b in [(10, 0.5, 4.0), (40, 3.0, 30.0), (1, 1.0, 1.0), (300, 20.0, 20.0)]:
            hits = np.arange(trials + 2)
            expected = stats.betabinom.sf(hits - 1, trials, a, b)
            assert np.allclose(beta_binomial_tail(hits, trials, a, b), expected, rtol=1e-7, atol=1e-13)

    @given(st.integers(0, 200), st.floats(0, 100), st.floats(0, 10))
    @settings(max_examples=100)
    def test_more_is_never_more_usual(self, count: int, mean: float, dispersion: float) -> None:
        here, next_ = gamma_poisson_tail([count, count + 1], mean, dispersion)
        assert 0 <= next_ <= here <= 1

    def test_dispersion_is_recovered_from_moments(self) -> None:
        rng = np.random.default_rng(3)
        for dispersion in (0.2, 1.0, 3.0):
            means = rng.gamma(2, 2, 300)
            days = rng.poisson(rng.gamma(1 / dispersion, means[:, None] * dispersion, (300, 60)))
            found = pooled_dispersion(np.full(300, 60), days.sum(axis=1), (days**2).sum(axis=1))
            assert found == pytest.approx(dispersion, rel=0.15)

    def test_a_pool_of_nothing_allows_much(self) -> None:
        assert pooled_dispersion([], [], []) == 1.0
        assert pooled_dispersion([1], [4], [16]) == 1.0

    def test_a_user_with_few_days_is_judged_by_the_pool(self) -> None:
        pool = {"pool_mean": 4.0, "pool_dispersion": 0.5}
        new = count_model(0, 0, 0, **pool)
        old = count_model(80, 80, 80, **pool)
        assert new.mean == pytest.approx(4.0)
        assert old.mean == pytest.approx(1.0, abs=0.1)
        assert gamma_poisson_tail(12, *old) < 1e-4 < gamma_poisson_tail(12, *new)

    @pytest.mark.parametrize("days", [14, 60])
    def test_clean_days_are_called_unusual_as_often_as_said(self, days: int) -> None:
        rng = np.random.default_rng(days)
        users, tests = 4000, 40
        means = rng.gamma(0.8, 3.0, users)
        dispersion = 0.6
        drawn = rng.poisson(rng.gamma(1 / dispersion, means[:, None] * dispersion, (users, days + tests)))
        past, new = drawn[:, :days], drawn[:, days:]
        total, squares = past.sum(axis=1), (past**2).sum(axis=1)
        model = count_model(
            np.full(users, days),
            total,
            squares,
            pool_mean=total.sum() / (users * days),
            pool_dispersion=pooled_dispersion(np.full(users, days), total, squares),
        )
        mean, spread = model.mean[:, None], model.dispersion[:, None]
        # A count has no continuous tail: it is randomized inside its own mass
        tail = gamma_poisson_tail(new + 1, mean, spread)
        randomized = tail + rng.uniform(size=new.shape) * gamma_poisson_mass(new, mean, spread)
        for alpha in (0.05, 0.01, 0.001):
            assert (randomized < alpha).mean() == pytest.approx(alpha, rel=0.4)
            assert (gamma_poisson_tail(new, mean, spread) < alpha).mean() <= alpha * 1.4

    def test_verdicts_of_clean_analysts_are_called_unusual_as_often_as_said(self) -> None:
        rng = np.random.default_rng(5)
        people = 4000
        tries = rng.integers(20, 80, people)
        hits = rng.binomial(tries, rng.beta(3.0, 9.0, people))
        a, b = share_prior(hits, tries)
        assert a / (a + b) == pytest.approx(0.25, abs=0.02)
        assert a + b == pytest.approx(12, rel=0.25)
        new = rng.binomial(tries, rng.beta(3.0, 9.0, people))
        upper, above = beta_binomial_tail(new, tries, a, b), beta_binomial_tail(new + 1, tries, a, b)
        randomized = above + rng.uniform(size=people) * (upper - above)
        for alpha in (0.05, 0.01):
            assert (randomized < alpha).mean() == pytest.approx(alpha, rel=0.5)

    def test_a_small_team_keeps_a_wide_prior(self) -> None:
        assert sum(share_prior([1], [10])) == pytest.approx(2.0)
        assert sum(share_prior([10, 10, 10], [100, 100, 100])) <= 200.0
        assert share_prior([], []) == (1.0, 1.0)

    def test_modified_z_has_a_floor_and_ignores_gaps(self) -> None:
        assert modified_z(10, [1, 2, 3, 4, 5], floor=0.1) == pytest.approx(0.6745 * 7 / 1)
        assert modified_z(10, [3, 3, 3, 3, 3], floor=2.0) == pytest.approx(0.6745 * 7 / 2)
        assert modified_z(10, [3, 3, math.nan, 3, 3], floor=2.0) == pytest.approx(0.6745 * 7 / 2)


class TestEvidence:
    def test_distances(self) -> None:
        assert haversine_km(0, 0, 0, 180) == pytest.approx(math.pi * EARTH_KM)
        assert haversine_km(52.52, 13.405, -23.55, -46.633) == pytest.approx(10_240, rel=0.01)
        assert haversine_km(10, 20, 10, 20) == 0

    @given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
    @settings(max_examples=50)
    def test_a_way_is_as_long_back(self, lat: float, long: float, other_lat: float, other_long: float) -> None:
        there = haversine_km(lat, long, other_lat, other_long)
        assert there == pytest.approx(float(haversine_km(other_lat, other_long, lat, long)), abs=1e-6)
        assert 0 <= there <= math.pi * EARTH_KM + 1e-6

    def test_speed(self) -> None:
        assert speed_kmh(900, 3600) == pytest.approx(900)
        assert speed_kmh(900, -3600) == pytest.approx(900)
        assert speed_kmh(0, 0) == 0
        assert speed_kmh(1, 0) == math.inf

    @given(st.lists(st.floats(1e-12, 0.999), min_size=1, max_size=6))
    @settings(max_examples=100)
    def test_combined_evidence_is_a_probability_in_any_order(self, p: list[float]) -> None:
        found = float(cauchy_combination(p))
        assert 0 <= found <= 1
        assert found == pytest.approx(float(cauchy_combination(p[::-1])), rel=1e-9)
        assert cauchy_combination([*p, math.nan]) == pytest.approx(found)

    def test_combination_of_equals_is_itself_and_of_nothing_is_one(self) -> None:
        for p in (0.5, 0.03, 1e-8, 1e-20, 1e-200):
            assert cauchy_combination([p]) == pytest.approx(p, rel=1e-6)
            assert cauchy_combination([p, p, p]) == pytest.approx(p, rel=1e-6)
        assert cauchy_combination([math.nan]) == 1.0
        assert cauchy_combination([[0.01, math.nan], [math.nan, math.nan]]).tolist() == pytest.approx([0.01, 1.0])

    def test_one_strong_piece_is_not_drowned_by_ones_that_say_nothing(self) -> None:
        assert cauchy_combination([1e-6, 1.0, 1.0, 0.9]) < 1e-5

    def test_dependent_clean_evidence_is_called_unusual_as_often_as_said(self) -> None:
        rng = np.random.default_rng(11)
        shared = rng.normal(size=(200_000, 1))
        normal = math.sqrt(0.5) * shared + math.sqrt(0.5) * rng.normal(size=(200_000, 4))
        combined = cauchy_combination(stats.norm.sf(normal))
        for alpha in (0.01, 0.001):
            assert (combined < alpha).mean() == pytest.approx(alpha, rel=0.25)
